import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from export import trained_model
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


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (configure(patch_size=[16, 64, 64]), "3D"),
        (configure(previous_stage="2d"), "cascade on top of 2d"),
        (configure(preprocessor_name="Mine"), "the preprocessor is Mine"),
        (configure(spacing=[0.5, 0.5]), r"spacing \[0.5, 0.5\] would resample"),
        (configure(normalization_schemes=["CTNormalization"] * 3), "CTNormalization"),
        (configure(use_mask_for_norm=[True, False, False]), "use_mask_for_norm"),
        (lambda plans: plans.update(image_reader_writer="SimpleITKIO"), "SimpleITKIO"),
        (lambda plans: plans.update(transpose_forward=[1, 0, 2]), "transpose"),
    ],
)
def test_what_plans_ask_for_and_is_not_supported_is_named(
    folder: Path, change: Callable[[Json], object], named: str
) -> None:
    edit(folder / "plans.json", change)
    with pytest.raises(UnsupportedModel, match=named):
        TrainedModel.load(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"channel_names": {"0": "grey"}}, r"1 channels \['grey'\]"),
        ({"labels": {"background": 0, "all": [1, 2], "core": [2]}}, "regions"),
        ({"labels": {"background": 0, "roof": 1, "road": 3, "tree": 4}}, "not numbered 0 to 3"),
        ({"labels": {"background": 0} | {f"c{i}": i for i in range(1, 255)}}, "255 classes"),
    ],
)
def test_what_the_dataset_asks_for_and_is_not_supported_is_named(
    folder: Path, change: Json, named: str
) -> None:
    order = {"regions_class_order": [1, 2]}
    edit(folder / "dataset.json", lambda dataset: dataset.update(change | order))
    with pytest.raises(UnsupportedModel, match=named):
        TrainedModel.load(folder)


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


def test_more_weights_than_onnx_holds_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained_model, "MAX_WEIGHT_BYTES", 1000)
    with pytest.raises(UnsupportedModel, match="an ONNX file holds 2 GB"):
        TrainedModel.load(folder)


def test_folds_that_mirror_differently_are_refused(two_folds: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(two_folds, tmp_path / "trained"))
    path = folder / "fold_2" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    torch.save(content | {"inference_allowed_mirroring_axes": (0,)}, path)
    with pytest.raises(UnsupportedModel, match="different mirror axes"):
        TrainedModel.load(folder)


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
