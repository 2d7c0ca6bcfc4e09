"""The pipeline on a GPU: all of it on arrays that refuse to become NumPy's, as CuPy's do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from droneseg.bundle import Bundle
from droneseg.engines.batch_size import fastest_batch_size
from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.plan import Channel, Member, Region
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from tests.droneseg.device_arrays import DeviceEngine, DeviceLibrary

SHAPE = 150, 170
REGIONS = tuple(Region(f"region {index}", (index + 1,), index + 1) for index in range(4))


def with_members(bundle: Bundle, change: Callable[[Member], tuple[Member, ...]]) -> Bundle:
    (member,) = bundle.plan.members
    return replace(bundle, plan=replace(bundle.plan, members=change(member)))


def with_channels(bundle: Bundle, **changed: Any) -> Bundle:
    def change(member: Member) -> tuple[Member, ...]:
        channels: tuple[Channel, ...] = tuple(
            replace(channel, **changed) for channel in member.channels
        )
        return (replace(member, channels=channels),)

    return with_members(bundle, change)


# Each changes the bundle of two folds, both mirror axes and four classes.
VARIANTS: dict[str, Callable[[Bundle], Bundle]] = {
    "as it is": lambda bundle: bundle,
    "one mirror axis": lambda b: with_members(b, lambda m: (replace(m, mirror_axes=(1,)),)),
    "masked": lambda b: with_channels(b, use_mask_for_norm=True),
    "no normalisation": lambda b: with_channels(b, normalization="RGBTo01Normalization"),
    "regions": lambda b: replace(b, plan=replace(b.plan, regions=REGIONS)),
    "an ensemble": lambda b: with_members(b, lambda m: (m, replace(m, mirror_axes=()))),
    "an ensemble of regions": lambda b: with_members(
        replace(b, plan=replace(b.plan, regions=REGIONS)), lambda m: (m, replace(m, mirror_axes=()))
    ),
}


@dataclass
class Both:
    """The same model on NumPy and on the stand-in for a GPU."""

    numpy: Predictor
    device: Predictor
    engine: DeviceEngine
    library: DeviceLibrary


def both(bundle: Bundle) -> Both:
    engine = OnnxRuntimeEngine(bundle.model_path())
    library = DeviceLibrary()
    device = DeviceEngine(engine, library, 3 * 64 * 48)
    members = len(bundle.plan.members)
    return Both(
        Predictor(bundle, engine=[engine] * members),
        # Batches of three tiles, which do not come out even.
        Predictor(bundle, engine=[device] * members, batch_size=3),
        device,
        library,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_pipeline_stays_on_the_device(two_folds_bundle: Bundle, variant: str) -> None:
    on = both(VARIANTS[variant](two_folds_bundle))
    photo = draw_scene(*SHAPE, seed=4)
    photo[:40] = 0
    photo[90:100, 60:80] = 0
    images = [photo, draw_scene(20, 30, seed=5)]
    expected = on.numpy.segment(images, probabilities=True, confidence=True)
    ours = on.device.segment(images, probabilities=True, confidence=True)
    for image, (one, other) in enumerate(zip(expected, ours, strict=True)):
        assert len(np.unique(one.labels)) > 1, image
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.probabilities is not None
        assert other.probabilities is not None
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-6)


def test_pixels_go_up_and_labels_come_down(two_folds_bundle: Bundle) -> None:
    on = both(two_folds_bundle)
    transfers = on.library.transfers
    height, width = SHAPE
    on.device.segment([draw_scene(height, width, seed=4)])
    weights = ("float32", 64 * 48 * 4)
    assert sorted(transfers.up) == [weights, ("uint8", height * width * 3)]
    assert {dtype for dtype, _ in transfers.down} == {"uint8"}
    assert sum(size for _, size in transfers.down) == height * width
    # Nothing waits for the GPU until all of the photo's work has been sent there.
    assert len(on.engine.down) > 4
    assert not any(on.engine.down)


def test_the_batch_size_is_measured_on_the_device(two_folds_bundle: Bundle) -> None:
    on = both(two_folds_bundle)
    fastest_batch_size(on.device.engines[0], (3, 64, 48), heads=4)
    # Batches of 1, 2 and 3, three times each; each is waited for, by as little as can be fetched.
    assert on.library.transfers.down == [("float32", 4)] * 9


def test_logits_can_be_traced(two_folds_bundle: Bundle) -> None:
    on = both(two_folds_bundle)
    photo = draw_scene(*SHAPE, seed=6)
    expected, ours = on.numpy.trace(photo), on.device.trace(photo)
    np.testing.assert_allclose(ours.logits[0], expected.logits[0], rtol=0, atol=1e-5)


def test_the_stand_in_is_strict() -> None:
    library = DeviceLibrary()
    array = library.zeros((2, 3), np.float32)
    with pytest.raises(TypeError, match="implicit conversion"):
        np.asarray(array)
    with pytest.raises(TypeError):
        array + np.ones((2, 3), np.float32)
    with pytest.raises(TypeError):
        array[0] = np.ones(3, np.float32)
    with pytest.raises(TypeError):
        np.median(array)
    with pytest.raises(AssertionError, match="wait for the GPU"):
        bool(array[0, 0])
