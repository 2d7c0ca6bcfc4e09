"""The machine that this process runs on."""

import math
import os
import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
# What a container may use, by cgroup v2: microseconds of CPU in each period, or "max".
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")
# Instructions that multiply bfloat16; without them it is slower than float32.
AMX_FLAG = "amx_bf16"
BFLOAT16_FLAGS = {"avx512_bf16", AMX_FLAG}


def available_cores() -> int:
    """The cores that this process may run on, within its container's share of them."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, _cgroup_cores() or cores)


def _cgroup_cores() -> int | None:
    try:
        quota, period = CGROUP_LIMIT.read_text().split()
    except OSError:
        return None
    return None if quota == "max" else max(1, math.ceil(int(quota) / int(period)))


def processor() -> str:
    """The name of the processor."""
    return _cpu_info("model name") or platform.processor() or platform.machine()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; False where it cannot be found out."""
    return not BFLOAT16_FLAGS.isdisjoint(_cpu_info("flags").split())


def float32_lanes() -> int:
    """How many float32 the processor multiplies and adds at once: 16, 8, or 0 if fewer."""
    flags = {*_cpu_info("flags").split()}
    if {"avx512f", "fma"} <= flags:
        return 16
    return 8 if {"avx2", "fma"} <= flags else 0


def has_vnni() -> bool:
    """Whether the processor multiplies and adds pairs of 16-bit integers, 16 at once."""
    return float32_lanes() == 16 and "avx512_vnni" in _cpu_info("flags").split()


def has_amx() -> bool:
    """Whether the processor multiplies whole matrices of bfloat16."""
    return AMX_FLAG in _cpu_info("flags").split()


def _cpu_info(field: str) -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return ""
