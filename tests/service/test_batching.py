"""Batches are made of what waits, and nothing waits for more."""

import asyncio
import warnings
from collections.abc import Sequence

with warnings.catch_warnings():
    # BentoML's own, of what it imports.
    warnings.simplefilter("ignore")
    from _bentoml_impl.server import app  # type: ignore[import-untyped]
    from bentoml._internal.marshal.dispatcher import CorkDispatcher

    from service.batching import EagerOptimizer, never_hold_back

BUSY_S = 0.05


def test_after_a_busy_time_nothing_is_held_back() -> None:
    never_hold_back()
    batches: list[int] = []

    async def ask_many() -> CorkDispatcher[int, int]:
        dispatcher: CorkDispatcher[int, int] = CorkDispatcher(
            60_000, 4, fallback=lambda: -1, get_batch_size=lambda _: 1
        )

        @dispatcher
        async def run(numbers: Sequence[int]) -> Sequence[int]:
            batches.append(len(numbers))
            await asyncio.sleep(BUSY_S)
            return numbers

        assert await asyncio.gather(*map(run, range(60))) == list(range(60))
        dispatcher.optimizer.trigger_refresh()  # type: ignore[no-untyped-call]
        dispatcher.shutdown()
        return dispatcher

    dispatcher = asyncio.run(ask_many())
    assert max(batches) == 4
    # The one that BentoML's server makes.
    assert app.CorkDispatcher is CorkDispatcher
    assert isinstance(dispatcher.optimizer, EagerOptimizer)
    assert dispatcher.optimizer.wait == 0
    # It has learned what a batch takes.
    assert 0 < dispatcher.optimizer.o_b < 2 * BUSY_S
