"""Ids of the objects that are counted: cars, people on foot, bicycles with and without riders.

An id follows its object from frame to frame and is a function of what the object is. Each kind has
a range of its own, in which the numbers of its objects go round: what the camera sees at one time
is less than one round, so no two objects of a picture share an id. 0 is no object.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = {
    "standing": 1,
    "oncoming": 32768,
    "ahead": 36864,
    "walker": 40960,
    "cyclist": 49152,
    "crossing": 57344,
}
"""Where each kind's range begins."""

_SIZE: Final = {
    "standing": 32000,
    "oncoming": 4096,
    "ahead": 4096,
    "walker": 8192,
    "cyclist": 8192,
    "crossing": 8192,
}
"""How many ids each kind has."""

MOST_PER_CHUNK: Final = 32
"""Standing objects of one chunk of street."""
MOST_PER_CROSSING: Final = 4
"""People who cross at one place."""
LANES: Final = 8
"""Columns of people on foot or on bicycles, which are numbered apart."""


def instance_of(kind: str, number: int) -> int:
    """Return the id, 1-65535, of the object `number` (any whole number) of a kind."""
    return _FIRST[kind] + number % _SIZE[kind]
