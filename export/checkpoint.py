"""Checkpoint: the weights of one fold, loaded without running any code from the file."""

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar

from droneseg.bundle import sha256
from export.errors import ExportError, UntrustedCheckpoint

# What nnU-Net's trainer stores beside tensors and Python's own types: NumPy scalars of its log.
SAFE_GLOBALS: list[Any] = [
    np.dtype,
    scalar,
    # The name that NumPy 1 wrote.
    (scalar, "numpy.core.multiarray.scalar"),
    *{type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?"},
]


@dataclass(frozen=True)
class Checkpoint:
    """What inference needs of a checkpoint_*.pth.

    Attributes:
        weights: the network's state_dict.
        mirror_axes: inference_allowed_mirroring_axes, spatial axes.
    """

    weights: dict[str, torch.Tensor]
    trainer: str
    configuration: str
    mirror_axes: tuple[int, ...]
    sha256: str

    @classmethod
    def load(cls, path: Path, *, trust: bool = False) -> "Checkpoint":
        """Read a checkpoint of nnUNetTrainer or any trainer derived from it.

        Args:
            path: fold_N/checkpoint_final.pth or the like.
            trust: unpickle objects of any class, which can run code.

        Raises:
            UntrustedCheckpoint: it holds other classes than an ordinary checkpoint.
            ExportError: it is missing, or no nnU-Net checkpoint.
        """
        if not path.is_file():
            raise ExportError(f"there is no checkpoint {path}")
        content = _load(path, trust=trust)
        try:
            return cls(
                weights=content["network_weights"],
                trainer=content["trainer_name"],
                configuration=content["init_args"]["configuration"],
                mirror_axes=tuple(content.get("inference_allowed_mirroring_axes") or ()),
                sha256=sha256(path),
            )
        except (KeyError, TypeError) as error:
            raise ExportError(f"{path} is no nnU-Net v2 checkpoint: {error} is missing") from error


def _load(path: Path, *, trust: bool) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise ExportError(f"{path} is no checkpoint of PyTorch") from error
        raise UntrustedCheckpoint(
            f"{path} holds {refused[1]}, and loading objects of other classes than tensors and "
            "plain values can run code from the file. If you trust who made it, export with --trust"
        ) from error
    except (AttributeError, EOFError, ImportError, KeyError, OSError, RuntimeError) as error:
        raise ExportError(f"{path} cannot be read as a checkpoint: {error}") from error
    return content
