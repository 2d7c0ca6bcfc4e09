"""Run lengths as COCO has them: down the columns, beginning with pixels that are not set."""

import numpy as np
from numpy.typing import NDArray


def column_runs(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a mask [H, W], the first of which is of False and may be 0."""
    values = mask.ravel(order="F")
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = np.concatenate([[0], changes, [values.size]])
    runs: list[int] = np.diff(edges).tolist()
    return [0, *runs] if values[0] else runs
