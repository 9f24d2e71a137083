"""An engine's share of the cores is its own."""

from __future__ import annotations

import threading

import torch

from rtseg.backends._threads import torch_threads


def test_the_caller_finds_its_own_number_again() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with torch_threads(0):
        assert torch.get_num_threads() == before


def test_threads_do_not_disturb_one_another() -> None:
    seen: dict[int, int] = {}
    meet = threading.Barrier(2, timeout=60)

    def work(number: int) -> None:
        with torch_threads(number):
            meet.wait()
            torch.ones(64, 64) @ torch.ones(64, 64)
            seen[number] = torch.get_num_threads()
            meet.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1: 1, 3: 3}
