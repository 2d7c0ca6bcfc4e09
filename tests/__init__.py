"""Tests, which have a core each where they run beside each other (pytest-xdist)."""

import os

# Of the machine; None where they cannot be chosen.
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and CORES:
    # Before any library counts the cores; threads of two that wait for each other would take turns.
    os.sched_setaffinity(0, {sorted(CORES)[int(_worker.removeprefix("gw")) % len(CORES)]})
