"""What moves: cars, people on foot and on bicycles, each a pure function of the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import ceil, floor, sin

import numpy as np

from rtseg._demo.camera import Motion
from rtseg._demo.canvas import Texture
from rtseg._demo.figures import (
    CYCLIST_END_M,
    CYCLIST_SIDE_M,
    PHASES,
    WALKER_M,
    cyclist_texture,
    outfit_of,
    walker_texture,
)
from rtseg._demo.identity import LANES, MOST_PER_CROSSING, instance_of
from rtseg._demo.items import Item, Standing, place
from rtseg._demo.light import Light
from rtseg._demo.noise import mixed, unit
from rtseg._demo.route import Route
from rtseg._demo.street import CHUNK_M
from rtseg._demo.truth import BICYCLIST, PEDESTRIAN
from rtseg._demo.vehicles import LIMIT_M, Garage, Vehicle

_PEOPLE = 14
_PEOPLE_M = 55.0
_FIGURES_KEPT = 256
"""So many pictures of people are kept, of a thousand: a person takes twelve a step."""
_EPOCH_S = 26.0


class Traffic:
    """Everything that moves in the drive `seed`."""

    def __init__(self, seed: int, route: Route, motion: Motion, light: Light) -> None:
        self._seed, self._route, self._motion, self._light = seed, route, motion, light
        self.garage = Garage(light)
        self._up = light.upright()
        self._figure = lru_cache(_FIGURES_KEPT)(self._painted_figure)
        self._busy = 0.55 + 0.45 * unit(seed, 40)

    def items(self, time_s: float, crossings: Sequence[float]) -> tuple[list[Item], list[Vehicle]]:
        """Return all that moves near the camera at `time_s`; the cars also on their own.

        Args:
            time_s: seconds since the start of the drive.
            crossings: ways at which there are zebra crossings near the camera.
        """
        here = self._motion.s_at(time_s)
        cars = [*self._oncoming(time_s, here), *self._ahead(time_s, here)]
        items: list[Item] = list(cars)
        items += self._walkers(time_s, here)
        items += self._cyclists(time_s, here)
        for s in crossings:
            items += self._crossing(s, time_s)
        return items, cars

    def _slots(
        self, key: int, here: float, time_s: float, speed: float, gap: float, reach: float
    ) -> Iterator[tuple[int, float]]:
        """Numbers and places of an endless column that moves at `speed`, one per `gap` metres."""
        moved = speed * time_s
        first = ceil((here - 6.0 - moved) / gap - 1)
        last = floor((here + reach - moved) / gap)
        for number in range(first, last + 1):
            s = (number + 0.7 * unit(self._seed, key, number)) * gap + moved
            if here - 6.0 < s < here + reach:
                yield number, s

    def _car(self, s: float, d: float, way: int, number: int, key: int, kind: str) -> Vehicle:
        bits = mixed(self._seed, key, number)
        model = (0, 1, 2, 3, 4, 5, 0, 1, 2, 6, 3, 1)[bits % 12]
        heading, instance = self._motion_heading(s), instance_of(kind, number)
        return Vehicle(s, d, way, model, (bits >> 8) % 997, self.garage, heading, instance)

    def _motion_heading(self, s: float) -> float:
        return float(self._route.heading(np.array([s]))[0])

    def _oncoming(self, time_s: float, here: float) -> Iterator[Vehicle]:
        profile = self._route.profile
        for number, s in self._slots(41, here, time_s, -9.5, 34.0, LIMIT_M):
            if unit(self._seed, 42, number) < self._busy * 0.8:
                sway = 0.15 * sin(0.7 * time_s + number)
                yield self._car(s, -profile.own_lane() + sway, -1, number, 43, "oncoming")

    def _ahead(self, time_s: float, here: float) -> Iterator[Vehicle]:
        """In some stretches of time a car is caught up with, followed, and drives off again."""
        epoch = floor(time_s / _EPOCH_S)
        if unit(self._seed, 44, epoch) > 0.35 + 0.5 * self._busy:
            return
        part = time_s / _EPOCH_S - epoch
        nearest = 11.0 + 14.0 * unit(self._seed, 45, epoch)
        gap = nearest + (LIMIT_M + 4.0 - nearest) * abs(2 * part - 1) ** 2.5
        yield self._car(here + gap, self._route.profile.own_lane(), 1, epoch, 46, "ahead")

    def _painted_figure(self, kind: str, number: int, phase: int, view: str) -> Texture:
        outfit = outfit_of(self._seed, number)
        make = walker_texture if kind == "walker" else cyclist_texture
        return make(outfit, phase, view).lit(self._up)

    def _walkers(self, time_s: float, here: float) -> Iterator[Standing]:
        profile = self._route.profile
        for lane in range(8):
            side, way = (-1, 1)[lane % 2], (-1, 1)[lane // 2 % 2]
            speed = way * (0.95 + 0.16 * lane)
            for number, s in self._slots(50 + lane, here, time_s, speed, 13.0, _PEOPLE_M):
                if unit(self._seed, 60 + lane, number) > self._busy * 0.75:
                    continue
                part = 0.25 + 0.6 * unit(self._seed, 70 + lane, number)
                d = profile.kerb(side) * (1 - part) + profile.frontage(side) * part
                phase = floor((time_s * 0.95 + unit(self._seed, 80, number)) * PHASES) % PHASES
                view = "back" if way > 0 else "front"
                figure = self._figure("walker", number * 8 + lane & 15, phase, view)
                tall = 0.9 + 0.17 * unit(self._seed, 90 + lane, number)
                size = (WALKER_M[0] * tall, WALKER_M[1] * tall)
                yield Standing(
                    s, place(s, d), figure, size, PEDESTRIAN, None, _PEOPLE_M,
                    instance=instance_of("walker", number * LANES + lane),
                )  # fmt: skip

    def _cyclists(self, time_s: float, here: float) -> Iterator[Standing]:
        profile = self._route.profile
        own = profile.traffic_side
        for side, speed, key in ((own, 4.2, 101), (-own, -4.6, 102)):
            edge = abs(profile.kerb(side)) - (2.15 if profile.parking[side > 0] else 0.0)
            d = side * (edge - 0.55)
            for number, s in self._slots(key, here, time_s, speed, 26.0, _PEOPLE_M):
                if unit(self._seed, key + 10, number) > 0.3 + 0.5 * self._busy:
                    continue
                phase = floor((time_s * 1.1 + unit(self._seed, 103, number)) * PHASES) % PHASES
                view = "back" if speed > 0 else "front"
                figure = self._figure("cyclist", number & 15, phase, view)
                yield Standing(
                    s - 3.0, place(s, d), figure, CYCLIST_END_M, BICYCLIST, None, _PEOPLE_M,
                    instance=instance_of("cyclist", number * LANES + key % LANES),
                )  # fmt: skip

    def _crossing(self, s: float, time_s: float) -> Iterator[Standing]:
        """People (now and then a cyclist) who cross at `s` before the camera arrives there."""
        key = round(s)
        arrival = self._motion.time_at(s)
        for number in range(int(4 * unit(self._seed, 104, key) * self._busy + 0.7)):
            lot = unit(self._seed, 105, key, number)
            riding, way = lot < 0.2, 1 if unit(self._seed, 106, key, number) < 0.5 else -1
            pace = (3.0 if riding else 1.25) * (0.85 + 0.4 * unit(self._seed, 107, key, number))
            left, right = (self._route.profile.frontage(side) - side * 1.4 for side in (-1, 1))
            lasts = (right - left) / pace
            ends = arrival - 1.6 - 3.0 * unit(self._seed, 108, key, number)
            part = min(max((time_s - (ends - lasts)) / lasts, 0.0), 1.0)
            d = left + (right - left) * (part if way > 0 else 1 - part)
            place_s = s + 0.5 + 2.2 * unit(self._seed, 109, key, number)
            if place_s - self._motion.s_at(time_s) < _PEOPLE_M:
                moved = part * lasts if 0 < part < 1 else 0.0
                person = self._crosser(key + number, place_s, d, moved, way, riding)
                where = round(s / CHUNK_M) * MOST_PER_CROSSING
                person.instance = instance_of("crossing", where + number)
                yield person

    def _crosser(
        self, number: int, s: float, d: float, moved_s: float, way: int, riding: bool
    ) -> Standing:
        phase = floor(moved_s * (0.9 if riding else 1.0) * PHASES) % PHASES
        figure = self._figure("cyclist" if riding else "walker", number & 15, phase, "side")
        size, class_id = (CYCLIST_SIDE_M, BICYCLIST) if riding else (WALKER_M, PEDESTRIAN)
        return Standing(s, place(s, d), figure, size, class_id, None, _PEOPLE_M, way < 0)
