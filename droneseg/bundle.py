"""Bundle: a folder with plan.json, networks and probe tiles, the only thing the runtime reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import BundleNotFound, InvalidBundle
from droneseg.plan import InferencePlan

PLAN_FILE = "plan.json"
CARD_FILE = "README.md"

DEFAULT_MODEL = Path("models/dubai_aerial")
# A folder for its own sake: forced on all of models/, DVC would delete what it does not know.
AGAIN = f"`dvc pull --force {DEFAULT_MODEL}` brings the default one again; export any other again"


@dataclass(frozen=True, slots=True)
class Probes:
    """Normalised tiles with the logits that PyTorch gave for them.

    Attributes:
        tiles: float16 [N, C, H, W], exact when cast to float32.
        logits: float32 [N, K, ceil(H / stride), ceil(W / stride)], every stride-th row and column.
        stride: odd, so that it meets every phase of the network's upsampling.
    """

    tiles: NDArray[np.float16]
    logits: NDArray[np.float32]
    stride: int

    def save(self, path: Path) -> None:
        """Write probes.npz."""
        np.savez_compressed(path, tiles=self.tiles, logits=self.logits, stride=self.stride)

    @classmethod
    def load(cls, path: Path) -> "Probes":
        """Read probes.npz; nothing in it is unpickled."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["tiles"], arrays["logits"], int(arrays["stride"]))


@dataclass(frozen=True, slots=True)
class Bundle:
    """An immutable model folder whose every file has the hash that its plan names."""

    path: Path
    plan: InferencePlan

    @classmethod
    def load(cls, path: str | Path) -> "Bundle":
        """Open a model folder and check its hashes.

        Raises:
            BundleNotFound: there is no plan.json; the message names the command that brings it.
            InvalidBundle: a file is missing or differs from the plan.
        """
        folder = Path(path)
        if not (folder / PLAN_FILE).is_file():
            raise BundleNotFound(
                f"no model bundle at '{folder}'. `make model` (or `dvc pull {DEFAULT_MODEL}`) "
                "brings the default one; `python -m export TRAINED_FOLDER --output "
                f"{folder}` makes one from a trained nnU-Net; DRONESEG_MODEL picks another folder."
            )
        bundle = cls(folder, InferencePlan.load(folder / PLAN_FILE))
        bundle._check_files()
        return bundle

    def model_path(self, member: int = 0) -> Path:
        """A member's network: tiles float32 [N, C, H, W] in, logits float32 [N, K, H, W] out."""
        return self.path / self.plan.members[member].model

    def probes(self, member: int = 0) -> Probes:
        """Tiles and reference logits that a member's engine must reproduce before it serves."""
        return Probes.load(self.path / self.plan.members[member].probes)

    def _check_files(self) -> None:
        for member in self.plan.members:
            for required in (member.model, member.probes):
                if required not in self.plan.files:
                    raise InvalidBundle(f"{self.path}: its plan has no hash of {required}")
        for name, expected in self.plan.files.items():
            if not (self.path / name).is_file():
                raise InvalidBundle(f"{self.path}: {name} is missing; {AGAIN}")
            if sha256(self.path / name) != expected:
                raise InvalidBundle(
                    f"{self.path}: {name} is not the file that was exported (its SHA-256 "
                    f"differs); {AGAIN}"
                )


def find_bundle(model: Path, root: Path = Path()) -> Path:
    """The folder of a bundle.

    Args:
        model: a path, absolute or relative to `root`, or the name of a folder below `root/models`.
        root: the current folder if not given.
    """
    if len(model.parts) == 1 and not (root / model).is_dir():
        return root / "models" / model
    return root / model


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
