"""The photo that most tests of the page use."""

from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

SCENE = draw_scene(90, 120, seed=40)
PNG = encode_png(SCENE)
