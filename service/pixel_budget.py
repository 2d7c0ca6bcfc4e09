"""PixelBudget: how many pixels of large photos are decoded at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.settings import settings


class PixelBudget:
    """Lets large photos wait as files, which are small, instead of as arrays.

    Small photos do not wait: the queue bounds them.
    """

    def __init__(self, limit: int):
        """Start with `limit` pixels, which one photo alone may exceed."""
        self._limit = limit
        self._used = 0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, pixels: int) -> AsyncIterator[None]:
        """Have room for a photo of so many pixels."""
        if pixels <= settings.small_pixels:
            yield
            return
        await self._take(pixels)
        try:
            yield
        finally:
            async with self._freed:
                self._used -= pixels
                self._freed.notify_all()

    async def _take(self, pixels: int) -> None:
        async with self._freed:
            await self._freed.wait_for(lambda: not self._used or self._fits(pixels))
            self._used += pixels

    def _fits(self, pixels: int) -> bool:
        return self._used + pixels <= self._limit
