"""How fast pictures go through: the input pipeline and the step, apart and together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from rtseg.training.batches import Batch


class Throughput:
    """Clocks around one epoch's batches.

    Host clocks: on a GPU the two run side by side, and `together` is near the slower one.
    """

    def __init__(self) -> None:
        self.num_images = 0
        self._prepare_s = self._wait_s = self._total_s = 0.0

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches; what happens between two of them counts as the step."""
        iterator = iter(batches)
        while True:
            started = time.perf_counter()
            batch = next(iterator, None)
            if batch is None:
                return
            self._wait_s += time.perf_counter() - started
            self._prepare_s += batch.prepare_s
            self.num_images += sum(len(part.labels) for part in batch.parts)
            yield batch
            self._total_s += time.perf_counter() - started

    @property
    def input_images_per_s(self) -> float:
        """How fast batches are made, alone."""
        return self._rate(self._prepare_s)

    @property
    def step_images_per_s(self) -> float:
        """How fast steps are, alone."""
        return self._rate(self._total_s - self._wait_s)

    @property
    def together(self) -> float:
        """Pictures per second of both."""
        return self._rate(self._total_s)

    def _rate(self, seconds: float) -> float:
        return self.num_images / seconds if seconds > 0 else 0.0
