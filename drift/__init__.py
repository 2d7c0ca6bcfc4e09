"""drift: whether the photos that come in are still like those that the model was made for."""

import os

# Evidently asks for this when it is imported; nothing here sends anything anywhere.
os.environ["DO_NOT_TRACK"] = "1"
