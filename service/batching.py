"""BentoML's adaptive batching, without its waiting for more photos while the runner is idle.

By default it holds a batch back for as long as batches waited lately, on the average and for
whatever reason: after a busy minute a lone photo would wait for seconds beside an idle model.
Batches form by themselves, of what has come while the runner was busy.
"""

from bentoml._internal.marshal import dispatcher


class EagerOptimizer(dispatcher.Optimizer):
    """Learns what a batch takes, as BentoML's does, and nothing of how long it has waited."""

    def log_outbound(self, n: int, wait: float, duration: float) -> None:
        """Take a batch of n requests into account, which took so many seconds."""
        del wait
        super().log_outbound(n, 0.0, duration)


def never_hold_back() -> None:
    """Let the dispatchers that are made from now on be eager."""
    dispatcher.Optimizer = EagerOptimizer  # type: ignore[misc]
