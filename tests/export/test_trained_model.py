import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from export.colors import label_colors
from export.errors import ExportError, UnsupportedModel, UntrustedPlans
from export.trained_model import TrainedModel

Json = dict[str, Any]


@pytest.fixture
def folder(one_axis: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(one_axis, tmp_path / "trained"))


def edit(path: Path, change: Callable[[Json], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def configure(**values: object) -> Callable[[Json], object]:
    return lambda plans: plans["configurations"]["2d"].update(values)


# The whole message for each: it is what people see.
REFUSED_PLANS: dict[str, Callable[[Json], object]] = {
    "a 3D configuration, with patch size [16, 64, 64]": configure(patch_size=[16, 64, 64]),
    "a cascade on top of 2d": configure(previous_stage="2d"),
    "the preprocessor Mine": configure(preprocessor_name="Mine"),
    "the spacing [0.5, 0.5], which would resample the photos": configure(spacing=[0.5, 0.5]),
    "the normalization MyNormalization, which is not nnU-Net's own": configure(
        normalization_schemes=["MyNormalization", "ZScoreNormalization", "CTNormalization"]
    ),
    "2 normalization schemes for 3 channels": configure(
        normalization_schemes=["ZScoreNormalization"] * 2
    ),
    "images read by SimpleITKIO, not NaturalImage2DIO": lambda plans: plans.update(
        image_reader_writer="SimpleITKIO"
    ),
    "axes transposed by the plans, [1, 0, 2]": lambda plans: plans.update(
        transpose_forward=[1, 0, 2]
    ),
    "the label manager MyLabelManager": lambda plans: plans.update(label_manager="MyLabelManager"),
}


@pytest.mark.parametrize("message", REFUSED_PLANS)
def test_what_plans_ask_for_and_is_not_supported_is_named(folder: Path, message: str) -> None:
    edit(folder / "plans.json", REFUSED_PLANS[message])
    with pytest.raises(UnsupportedModel) as caught:
        TrainedModel.load(folder)
    assert caught.value.message == f"{message}: not supported; nothing was written"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            {"background": 0, "roof": 1, "road": 3, "tree": 4},
            "labels that are not numbered 0 to 3, "
            "{'background': (0,), 'roof': (1,), 'road': (3,), 'tree': (4,)}",
        ),
        (
            {"background": 0} | {f"c{i}": i for i in range(1, 255)},
            "255 classes, where a label map of 8 bits holds 254 and the ignore label",
        ),
        (
            {"background": 0, "all": [1, 300], "core": [300]},
            "the label 300, above the 254 of a label map of 8 bits",
        ),
        (
            {"background": 0, "all": [1, 2], "core": [2]},
            "the regions_class_order [1, 400], not all from 0 to 254",
        ),
    ],
)
def test_labels_that_are_not_supported_are_named(folder: Path, labels: Json, message: str) -> None:
    change = {"labels": labels, "regions_class_order": [1, 400]}
    edit(folder / "dataset.json", lambda dataset: dataset.update(change))
    with pytest.raises(UnsupportedModel) as caught:
        TrainedModel.load(folder)
    assert caught.value.message == f"{message}: not supported; nothing was written"


@pytest.mark.parametrize("where", ["nonlin", "network_class_name"])
def test_plans_that_name_foreign_code_need_the_flag(folder: Path, where: str) -> None:
    trace = folder / "trace"

    def poison(plans: Json) -> None:
        architecture = plans["configurations"]["2d"]["architecture"]
        if where == "nonlin":
            touch = {"nonlin": "os.system", "nonlin_kwargs": {"command": f"touch {trace}"}}
            architecture["arch_kwargs"].update(touch)
        else:
            architecture["network_class_name"] = "os.system"

    edit(folder / "plans.json", poison)
    with pytest.raises(UntrustedPlans, match=r"os\.system"):
        TrainedModel.load(folder).networks()
    assert not trace.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"configurations": {}}'])
def test_plans_of_another_shape_are_an_error(folder: Path, content: str) -> None:
    (folder / "plans.json").write_text(content)
    with pytest.raises(ExportError):
        TrainedModel.load(folder)


def test_the_first_fold_decides_over_the_mirror_axes_as_in_nnunet(
    two_folds: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(two_folds, tmp_path / "trained"))
    path = folder / "fold_2" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    torch.save(content | {"inference_allowed_mirroring_axes": (0,)}, path)
    assert TrainedModel.load(folder).checkpoints[0].mirror_axes == (0, 1)


MALFORMED: dict[str, tuple[str, Callable[[Json], object]]] = {
    "no background": ("dataset.json", lambda d: d["labels"].pop("background")),
    "background as a list": ("dataset.json", lambda d: d["labels"].update(background=[0, 1])),
    "masks of another number": ("plans.json", configure(use_mask_for_norm=[True])),
    "no resampling": (
        "plans.json",
        lambda p: p["configurations"]["2d"].pop("resampling_fn_data"),
    ),
    "no architecture": ("plans.json", lambda p: p["configurations"]["2d"].pop("architecture")),
    "another configuration": (
        "plans.json",
        lambda p: p["configurations"].update({"3d": p["configurations"].pop("2d")}),
    ),
}


@pytest.mark.filterwarnings("ignore:Detected old nnU-Net plans format")
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_plans_are_an_error_of_the_export(folder: Path, what: str) -> None:
    name, change = MALFORMED[what]
    edit(folder / name, change)
    with pytest.raises(ExportError, match=r"plans\.json"):
        TrainedModel.load(folder)


def test_an_unknown_argument_of_the_architecture_is_an_error(folder: Path) -> None:
    def add(plans: Json) -> None:
        plans["configurations"]["2d"]["architecture"]["arch_kwargs"]["unknown"] = 1

    edit(folder / "plans.json", add)
    with pytest.raises(ExportError, match="no network of nnU-Net's"):
        TrainedModel.load(folder).networks()


def test_a_fingerprint_without_percentiles_does_for_z_score(folder: Path) -> None:
    key = "foreground_intensity_properties_per_channel"
    edit(folder / "plans.json", lambda plans: plans.update({key: {str(i): {} for i in range(3)}}))
    assert TrainedModel.load(folder).top_intensities == (255.0, 255.0, 255.0)


def test_weights_that_do_not_fit_are_refused(folder: Path) -> None:
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    content["network_weights"].pop("decoder.seg_layers.1.bias")
    torch.save(content, path)
    with pytest.raises(ExportError, match=r"(?s)do not fit.*decoder\.seg_layers\.1\.bias"):
        TrainedModel.load(folder).networks()


def test_every_fold_is_taken_unless_some_are_named(two_folds: Path) -> None:
    assert TrainedModel.load(two_folds).folds == ("0", "2")
    assert TrainedModel.load(two_folds, folds=("2",)).folds == ("2",)
    with pytest.raises(ExportError, match="fold_1"):
        TrainedModel.load(two_folds, folds=("1",))
    with pytest.raises(ExportError, match=r"no fold with a checkpoint_best\.pth"):
        TrainedModel.load(two_folds, checkpoint_name="checkpoint_best.pth")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no plans\.json"):
        TrainedModel.load(tmp_path)


def test_colours_are_distinct_and_chosen_ones_win() -> None:
    names = [f"class{i}" for i in range(60)]
    colors = label_colors(names, {"class3": "#abcdef"})
    assert colors["class0"] == "#000000"
    assert colors["class3"] == "#ABCDEF"
    assert len(set(colors.values())) == 60


@pytest.mark.parametrize("chosen", [{"nothing": "#FFFFFF"}, {"roof": "red"}])
def test_bad_colours_are_named(chosen: dict[str, str]) -> None:
    with pytest.raises(ExportError, match=next(iter(chosen))):
        label_colors(["background", "roof"], chosen)
