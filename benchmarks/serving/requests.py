"""A request to our service, and what it took."""

import time
from statistics import quantiles

import httpx


def post(client: httpx.Client, photo: bytes) -> tuple[float, dict[str, float]]:
    """Milliseconds that the client saw, and those of the stages."""
    start = time.perf_counter()
    answer = client.post("/predict", files={"data": photo}).raise_for_status()
    wall_ms = (time.perf_counter() - start) * 1000
    return wall_ms, answer.json()["timings_ms"]


def p95(values: list[float]) -> float:
    """The value that 95 % stay below."""
    return quantiles(values, n=20)[-1]
