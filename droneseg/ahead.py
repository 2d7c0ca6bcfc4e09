"""ahead: work on the next item while the present one is used."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item], do: Callable[[Item], Result]) -> Generator[Result, None, None]:
    """What `do` makes of each item, in order; the next one is taken and done meanwhile.

    Items are taken, and `do` is called, in one thread, which is not the caller's. What either
    raises comes where its result would have come. Once the generator is closed, no item is taken
    any more.
    """
    iterator = iter(items)

    def step() -> list[Result]:
        """One result, or none at the end."""
        return [do(item) for item in _first(iterator)]

    with ThreadPoolExecutor(1, "ahead") as pool:
        future: Future[list[Result]] = pool.submit(step)
        while results := future.result():
            future = pool.submit(step)
            yield results[0]


def _first(iterator: Iterator[Item]) -> list[Item]:
    for item in iterator:
        return [item]
    return []
