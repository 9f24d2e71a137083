"""The same id for the same object in the next picture, as far as the two overlap."""

from __future__ import annotations

import numpy as np

from rtseg.instances.instance_map import MOST_INSTANCES, InstanceMap, UInt16

LEAST_OVERLAP = 0.2
"""Intersection over union from which two objects of neighbouring pictures are one."""


class InstanceTracks:
    """Carries ids from picture to picture: a film's pictures go through it in order.

    Each object takes the id of that object of its class, in the picture before, which it overlaps
    most; the best pairs go first. Others get ids that are new. After 65535 ids they start over.

    Args:
        least_overlap: intersection over union below which two objects aren't one.
    """

    def __init__(self, least_overlap: float = LEAST_OVERLAP) -> None:
        self._least = least_overlap
        self._before: tuple[InstanceMap, list[int]] | None = None
        self._last = 0

    def follow(self, instances: InstanceMap) -> UInt16:
        """Return the objects' lasting ids, uint16 [H, W], 0 for none; a new size starts over."""
        lasting = self._carried_on(instances)
        taken = set(lasting.values())
        for number in range(1, len(instances) + 1):
            if number not in lasting:
                lasting[number] = self._new(taken)
                taken.add(lasting[number])
        ids = [lasting[number] for number in range(1, len(instances) + 1)]
        self._before = instances, ids
        return np.array([0, *ids], np.uint16)[instances.ids]

    def _carried_on(self, instances: InstanceMap) -> dict[int, int]:
        """Return the ids that go on, by the object's number now."""
        if self._before is None or self._before[0].ids.shape != instances.ids.shape:
            return {}
        before, ids = self._before
        carried: dict[int, int] = {}
        used: set[int] = set()
        for _, now, then in self._pairs(before, instances):
            if now not in carried and then not in used:
                carried[now] = ids[then - 1]
                used.add(then)
        return carried

    def _pairs(self, before: InstanceMap, now: InstanceMap) -> list[tuple[float, int, int]]:
        """Return (overlap, number now, number before) of overlapping objects, the best first."""
        width = len(before) + 1
        pairs = now.ids.astype(np.int64) * width + before.ids
        shared = np.bincount(pairs.ravel(), minlength=(len(now) + 1) * width).reshape(-1, width)
        areas_now, areas_before = shared.sum(axis=1), shared.sum(axis=0)
        found = []
        for one, other in zip(*np.nonzero(shared[1:, 1:]), strict=True):
            n, b = int(one) + 1, int(other) + 1
            if now.class_ids[n - 1] != before.class_ids[b - 1]:
                continue
            overlap = shared[n, b] / (areas_now[n] + areas_before[b] - shared[n, b])
            if overlap >= self._least:
                found.append((float(overlap), n, b))
        return sorted(found, key=lambda pair: (-pair[0], pair[1], pair[2]))

    def _new(self, taken: set[int]) -> int:
        for _ in range(MOST_INSTANCES):
            self._last = self._last % MOST_INSTANCES + 1
            if self._last not in taken:
                break
        return self._last
