import json
from dataclasses import replace
from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from droneseg.errors import InvalidBundle
from droneseg.plan import InferencePlan


def test_a_plan_survives_the_disk(one_axis_bundle: Bundle, tmp_path: Path) -> None:
    one_axis_bundle.plan.save(tmp_path / "plan.json")
    assert InferencePlan.load(tmp_path / "plan.json") == one_axis_bundle.plan


def test_what_a_plan_says(two_folds_bundle: Bundle, one_axis_bundle: Bundle) -> None:
    plan = two_folds_bundle.plan
    assert [label.name for label in plan.labels] == ["background", "roof", "road", "tree"]
    assert plan.ignore_label == 4
    assert plan.num_segmentation_heads == 4
    assert plan.channel_names == ("R", "G", "B")
    (member,) = plan.members
    assert member.patch_size == (64, 48)
    assert member.mirror_axes == (0, 1)
    assert member.source.folds == ("0", "2")
    assert len(set(member.source.checkpoint_sha256)) == 2
    (other,) = one_axis_bundle.plan.members
    assert other.mirror_axes == (0,)
    assert other.source.trainer == "nnUNetTrainerOfAnotherTeam"
    assert one_axis_bundle.plan.labels[1].rgb == (255, 0, 0)


def test_the_hash_covers_every_field(one_axis_bundle: Bundle) -> None:
    plan = one_axis_bundle.plan
    other = replace(plan, tile_step_size=0.25).sealed()
    assert plan.sealed().content_hash == plan.content_hash != other.content_hash


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("members", []),
        ("files", {"../secret": "0" * 64}),
        ("tile_step_size", 1.5),
        ("labels", []),
        ("name", "another"),
    ],
)
def test_an_altered_or_foreign_plan_is_refused(
    one_axis_bundle: Bundle, tmp_path: Path, field: str, value: object
) -> None:
    content = one_axis_bundle.plan.as_dict()
    (tmp_path / "plan.json").write_text(json.dumps({**content, field: value}))
    with pytest.raises(InvalidBundle, match=r"plan\.json"):
        InferencePlan.load(tmp_path / "plan.json")


def test_an_unknown_field_is_refused(one_axis_bundle: Bundle, tmp_path: Path) -> None:
    content = one_axis_bundle.plan.as_dict() | {"tile_order": []}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InvalidBundle):
        InferencePlan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("patch_size", [0, 48]),
        ("mirror_axes", [2]),
        ("channels", []),
        ("channels", [{"name": "x", "normalization": "MyNormalization"}]),
        ("channels", [{"name": "x", "normalization": "CTNormalization"}]),
        ("model", "folder/model.onnx"),
        ("model", ".."),
    ],
)
def test_an_impossible_member_is_refused(
    one_axis_bundle: Bundle, tmp_path: Path, field: str, value: object
) -> None:
    content = one_axis_bundle.plan.as_dict()
    content["members"][0][field] = value
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InvalidBundle, match=r"cannot be read as an inference plan"):
        InferencePlan.load(tmp_path / "plan.json")
