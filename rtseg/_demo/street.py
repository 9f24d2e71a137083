"""What stands along the street, chunk by chunk: each chunk depends on the seed and its number."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rtseg._demo import markings
from rtseg._demo.buildings import House
from rtseg._demo.identity import MOST_PER_CHUNK, instance_of
from rtseg._demo.items import Item, Standing
from rtseg._demo.light import Light
from rtseg._demo.markings import Mark
from rtseg._demo.noise import F64, generator, unit
from rtseg._demo.plots import Plots
from rtseg._demo.roadside import Roadside
from rtseg._demo.route import Route
from rtseg._demo.shadows import house_shadow, post_shadow, tree_shadow
from rtseg._demo.truth import BICYCLIST, POLE, TREE
from rtseg._demo.vehicles import Garage, Vehicle

CHUNK_M = 24.0
_MARGIN = 2
"""So many chunks out of sight are kept at either end; one takes some 5 MB."""


@dataclass
class Chunk:
    """A stretch of street.

    Args:
        items: what stands here.
        marks: what is painted on the road.
        shadows: outlines [n, 2] (s, d) of shadows that the sun casts.
        contacts: outlines [n, 2] (s, d) of the dark below parked cars.
        side_roads: (from s, to s, side) where another street joins.
        zebras: ways at which zebra crossings begin.
    """

    items: list[Item] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    shadows: list[F64] = field(default_factory=list)
    contacts: list[F64] = field(default_factory=list)
    side_roads: list[tuple[float, float, int]] = field(default_factory=list)
    zebras: list[float] = field(default_factory=list)


class Street:
    """The chunks of a drive, built when first seen; the ones left behind are forgotten."""

    def __init__(self, seed: int, route: Route, light: Light, garage: Garage) -> None:
        self._seed, self._route, self._light = seed, route, light
        self._plots = Plots(seed, route.profile, light)
        self._roadside = Roadside(seed, route.profile, light, garage)
        self._line = int(generator(seed, 11).integers(3))
        self._chunks: dict[int, Chunk] = {}

    def around(self, first_s: float, last_s: float) -> list[Chunk]:
        """Return the chunks between two places, the farthest first."""
        first, last = int(first_s // CHUNK_M), int(last_s // CHUNK_M)
        kept = range(first - _MARGIN, last + _MARGIN + 1)
        self._chunks = {number: self._chunks[number] for number in self._chunks if number in kept}
        return [self._chunk(number) for number in range(last, first - 1, -1)]

    def _chunk(self, number: int) -> Chunk:
        found = self._chunks.get(number)
        if found is None:
            found = self._chunks[number] = self._built(number)
        return found

    def crossing(self, number: int) -> str:
        """Return what crosses chunk `number`: "zebra", "signals" or ""."""
        lot = unit(self._seed, 12, number // 4)
        if number % 4 != int(unit(self._seed, 13, number // 4) * 4):
            return ""
        return "zebra" if lot < 0.5 else "signals" if lot < 0.85 else ""

    def _built(self, number: int) -> Chunk:
        chunk = Chunk()
        start = number * CHUNK_M
        heading = float(self._route.heading(np.array([start + CHUNK_M / 2]))[0])
        crossing = self.crossing(number)
        for side in (-1, 1):
            self._build_side(chunk, number, side, heading, crossing)
        profile = self._route.profile
        if crossing == "zebra":
            chunk.zebras.append(start + 10.0)
            chunk.marks += markings.zebra(start + 10.0, profile)
            chunk.marks += markings.lines(start, start + 8.0, profile, self._line)
            chunk.marks += markings.lines(start + 15.0, start + CHUNK_M, profile, self._line)
        else:
            chunk.marks += markings.lines(start, start + CHUNK_M, profile, self._line)
        if crossing == "signals":
            chunk.marks.append(markings.stop_line(start + 9.0, profile))
            chunk.marks += markings.arrow(start + 1.0, profile.own_lane())
        self._cast(chunk, heading)
        _number(chunk, number)
        return chunk

    def _build_side(
        self, chunk: Chunk, number: int, side: int, heading: float, crossing: str
    ) -> None:
        rng = generator(self._seed, 14, number, side)
        start, end = number * CHUNK_M, (number + 1) * CHUNK_M
        zone, road = self._plots.zone(number, side), self._roadside
        opening = crossing == "" and rng.random() < 0.14
        if opening:
            chunk.side_roads.append((start, start + 8.0, side))
            start += 8.0
        chunk.items += self._plots.build(rng, zone, start, end, side, heading)
        if (number + (side > 0)) % 3:
            chunk.items.append(road.lamp(number * CHUNK_M + 12.3, side))
        if crossing == "zebra":
            chunk.items.append(road.beacon(start + 9.3 + 4.6 * (side > 0), side))
            chunk.items += road.railing(start, start + 8.0, side, heading, False)
            chunk.items += road.railing(start + 15.0, end, side, heading, False)
        elif crossing == "signals":
            chunk.items.append(road.signals(start + 9.6, side))
        elif not opening:
            chunk.items += road.street_trees(rng, self._plots, start, end, side)
            if rng.random() < 0.36:
                chunk.items += road.railing(start + 1, end, side, heading, rng.random() < 0.5)
        self._add_signs(chunk, rng, start, end, side)
        if crossing == "" and not opening:
            self._add_cars(chunk, road.parked(rng, start, end, side, heading))

    def _add_signs(
        self, chunk: Chunk, rng: np.random.Generator, start: float, end: float, side: int
    ) -> None:
        if rng.random() < 0.75:
            chunk.items.append(self._roadside.sign(rng, float(rng.uniform(start, end)), side))
        if rng.random() < 0.3:
            chunk.items.append(self._roadside.board(rng, float(rng.uniform(start, end)), side))
        if rng.random() < 0.2:
            chunk.items += self._roadside.bicycles(rng, float(rng.uniform(start, end)), side)

    def _add_cars(self, chunk: Chunk, cars: list[Vehicle]) -> None:
        chunk.items += cars
        chunk.contacts += [car.footprint for car in cars]

    def _cast(self, chunk: Chunk, heading: float) -> None:
        """Collect the shadows of what stands in the chunk."""
        if self._light.shadow < 0.2:
            return
        cast = self._light.cast(heading)
        for item in chunk.items:
            if isinstance(item, House):
                chunk.shadows.append(house_shadow(item, cast))
            elif isinstance(item, Vehicle):
                chunk.shadows.append(item.shadow(cast))
            elif isinstance(item, Standing) and item.class_id == TREE:
                chunk.shadows.append(tree_shadow(item, cast))
            elif isinstance(item, Standing) and item.class_id == POLE:
                chunk.shadows.append(post_shadow(item, cast))


def _number(chunk: Chunk, number: int) -> None:
    """Give the standing objects that are counted their ids."""
    counted = [
        item
        for item in chunk.items
        if isinstance(item, Vehicle) or (isinstance(item, Standing) and item.class_id == BICYCLIST)
    ]
    assert len(counted) <= MOST_PER_CHUNK
    for place, item in enumerate(counted):
        item.instance = instance_of("standing", number * MOST_PER_CHUNK + place)
