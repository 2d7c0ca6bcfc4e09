"""RunnerLinks: the ways to the runners of all GPUs, as if they were one."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.options import Options
from service.runner_link import RunnerLink


class RunnerLinks:
    """Gives each photo to the runner with the fewest of them."""

    def __init__(self, runners: Sequence[Any]):
        """Take the proxies that BentoML made of the runners."""
        self._links = [RunnerLink(runner) for runner in runners]
        self._photos: Counter[RunnerLink] = Counter()

    @property
    def ready(self) -> bool:
        """Whether photos can be taken: all have been warm, and one is."""
        return self.info is not None and any(link.ready for link in self._links)

    @property
    def alive(self) -> bool:
        """Whether all were heard of lately, or have yet to be."""
        return all(link.alive for link in self._links)

    @property
    def info(self) -> dict[str, Any] | None:
        """Engine, precision and versions, once all have been ready."""
        infos = [link.info for link in self._links]
        return infos[0] if all(infos) else None

    async def segment(
        self, image: NDArray[np.uint8], options: Options, deadline: float
    ) -> dict[str, Any]:
        """As RunnerLink does."""
        ready = [link for link in self._links if link.ready] or self._links
        link = min(ready, key=self._photos.__getitem__)
        self._photos[link] += 1
        try:
            return await link.segment(image, options, deadline)
        finally:
            self._photos[link] -= 1

    async def keep(self) -> None:
        """As RunnerLink does, for all of them."""
        await asyncio.gather(*(link.keep() for link in self._links))
