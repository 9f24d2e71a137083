"""How many cores torch uses in the thread that calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run the block with `threads` OpenMP threads in the calling thread; 0 leaves it as it is.

    OpenMP keeps the number per calling thread, so that workers beside each other don't disturb
    one another, and a caller finds its own number again.
    """
    before = torch.get_num_threads()
    if threads in (0, before):
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
