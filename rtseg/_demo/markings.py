"""What is painted on the road: dashes, edge lines, zebra crossings, stop lines, bays, arrows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtseg._demo.noise import F64
from rtseg._demo.route import Profile

_STEP_M = 4.0


@dataclass(frozen=True)
class Mark:
    """A painted shape: outline [n, 2] (s, d) in metres, and the width that thins out far away."""

    outline: F64
    width: float


def strip(start: float, end: float, d: float, width: float) -> Mark:
    """Return a line along the street, bent with it."""
    count = max(2, int(np.ceil((end - start) / _STEP_M)) + 1)
    s = np.linspace(start, end, count)
    one, two = np.full(count, d - width / 2), np.full(count, d + width / 2)
    there, back = np.stack([s, one], 1), np.stack([s, two], 1)[::-1]
    return Mark(np.concatenate([there, back]), width)


def lines(start: float, end: float, profile: Profile, style: int) -> list[Mark]:
    """Return the lines of a stretch: the middle (`style` 0-2), edges, and parking bays."""
    marks = []
    if style == 2:
        marks += [strip(start, end, -0.12, 0.11), strip(start, end, 0.12, 0.11)]
    else:
        dash, period = ((2.0, 6.0), (4.0, 8.0))[style]
        marks += [strip(s, s + dash, 0.0, 0.13) for s in np.arange(start, end - 0.1, period)]
    for side in (-1, 1):
        kerb = profile.kerb(side)
        if profile.parking[side > 0]:
            edge = kerb - side * 2.2
            marks.append(strip(start, end, edge, 0.1))
            marks += [
                Mark(_bar(s, s + 0.1, edge, kerb - side * 0.2), 0.1)
                for s in np.arange(start, end - 0.1, 6.0)
            ]
        elif style == 1:
            marks += [strip(start, end, kerb - side * 0.35, 0.11)]
        else:
            marks += [
                strip(s, s + 1.0, kerb - side * 0.45, 0.1) for s in np.arange(start, end, 2.0)
            ]
    return marks


def zebra(s: float, profile: Profile) -> list[Mark]:
    """Return a zebra crossing of 3.2 m at `s`, with give-way dashes on both sides."""
    left, right = profile.kerb(-1) + 0.3, profile.kerb(1) - 0.3
    stripes = np.arange(left, right - 0.3, 1.0)
    marks = [Mark(_bar(s, s + 3.2, d, d + 0.5), 0.5) for d in stripes]
    for at in (s - 1.6, s + 4.6):
        marks += [Mark(_bar(at, at + 0.2, d, d + 0.5), 0.2) for d in stripes]
    return marks


def stop_line(s: float, profile: Profile) -> Mark:
    """Return the stop line of the camera's lane."""
    side = profile.traffic_side
    return Mark(_bar(s, s + 0.4, side * 0.15, side * (profile.lane + 0.4)), 0.4)


def arrow(s: float, d: float) -> list[Mark]:
    """Return a straight-ahead arrow in a lane, 4 m long."""
    shaft = _bar(s, s + 2.6, d - 0.1, d + 0.1)
    head = np.array([[s + 2.5, d - 0.42], [s + 4.2, d], [s + 2.5, d + 0.42]])
    return [Mark(shaft, 0.2), Mark(head, 0.4)]


def _bar(s0: float, s1: float, d0: float, d1: float) -> F64:
    return np.array([[s0, d0], [s1, d0], [s1, d1], [s0, d1]])
