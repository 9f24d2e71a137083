"""What stands on the pavement and at the kerb: lamps, trees, signs, railings, parked cars."""

from __future__ import annotations

import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.fences import Fence, fence_texture
from rtseg._demo.figures import bicycle_texture
from rtseg._demo.items import Item, Standing, place
from rtseg._demo.light import Light, facing
from rtseg._demo.noise import generator
from rtseg._demo.plots import Plots
from rtseg._demo.poles import LAMP_M, METALS, lamp_texture, post_texture
from rtseg._demo.posts import Plate, SignPost
from rtseg._demo.route import Profile
from rtseg._demo.signs import (
    ROUND_SIGNS,
    beacon_texture,
    board_texture,
    lights_texture,
    sign_texture,
)
from rtseg._demo.truth import BICYCLIST, POLE
from rtseg._demo.vehicles import Garage, Vehicle

_LAMP_LIMIT_M = 46.0


class Roadside:
    """Builds what stands between the road and the plots on one side of one chunk."""

    def __init__(self, seed: int, profile: Profile, light: Light, garage: Garage) -> None:
        rng = generator(seed, 8)
        self._seed, self._profile, self._light, self._garage = seed, profile, light, garage
        metal = METALS[int(rng.integers(len(METALS)))]
        self._up = light.upright()
        self._lamp = lamp_texture(metal, int(rng.integers(3)), light.lamps).lit(self._up)
        self._post = post_texture(METALS[int(rng.integers(len(METALS)))]).lit(self._up)
        self._banded = post_texture((0, 0, 0), banded=True).lit(self._up)
        self._beacon = beacon_texture().lit(self._up)
        b, g, r = self._up
        glow = ((1 + b) / 2, (1 + g) / 2, (1 + r) / 2)
        red, amber, green = (lights_texture(state).lit(glow) for state in ("red", "amber", "green"))
        self._signals = (red, amber, green)
        self._street_trees = float(rng.uniform(0.35, 1.0))
        self._rail = fence_texture(rng, "railing", 4.0, 1.1)
        self._guard = fence_texture(rng, "guard", 6.0, 0.85)

    def lamp(self, s: float, side: int) -> Item:
        """Return a street lamp whose arm reaches over the road."""
        d = self._profile.kerb(side) + side * 0.55
        return Standing(
            s, place(s, d), self._lamp, LAMP_M, POLE, None, _LAMP_LIMIT_M, mirror=side > 0
        )

    def sign(self, rng: np.random.Generator, s: float, side: int) -> Item:
        """Return a post with one or two signs."""
        d = self._profile.kerb(side) + side * float(rng.uniform(0.4, 0.8))
        size = float(rng.uniform(0.75, 1.0))
        plates = []
        for row in range(1 + (rng.random() < 0.35)):
            kind = ROUND_SIGNS[int(rng.integers(len(ROUND_SIGNS)))]
            texture = sign_texture(kind, int(rng.integers(8))).lit(self._up)
            plates.append(Plate(texture, 0.0, 2.5 - row * (size + 0.05), (size, size)))
        return SignPost(s, place(s, d), self._post, (0.0,), 2.75, 0.11, tuple(plates))

    def board(self, rng: np.random.Generator, s: float, side: int) -> Item:
        """Return a direction board on two posts."""
        d = self._profile.frontage(side) - side * 1.5
        plate = Plate(board_texture(rng).lit(self._up), 0.0, 2.9, (2.3, 1.45))
        return SignPost(s, place(s, d), self._post, (-0.8, 0.8), 3.3, 0.13, (plate,), 64.0)

    def signals(self, s: float, side: int) -> Item:
        """Return a traffic light."""
        d = self._profile.kerb(side) + side * 0.5
        plate = Plate(self._signals[0], 0.0, 2.9, (0.5, 1.1))
        return SignPost(
            s, place(s, d), self._post, (0.0,), 3.3, 0.15, (plate,), 62.0,
            self._signals,
        )  # fmt: skip

    def beacon(self, s: float, side: int) -> Item:
        """Return the banded post with an amber globe at a zebra crossing."""
        d = self._profile.kerb(side) + side * 0.5
        plate = Plate(self._beacon, 0.0, 3.0, (0.42, 0.42))
        return SignPost(s, place(s, d), self._banded, (0.0,), 2.9, 0.15, (plate,), 52.0)

    def railing(
        self, start: float, end: float, side: int, heading: float, guard: bool
    ) -> list[Item]:
        """Return a railing at the kerb."""
        d = self._profile.kerb(side) + side * 0.4
        length, tall = (6.0, 0.85) if guard else (4.0, 1.1)
        gain = self._light.on(facing(side, heading))
        panels: list[Item] = []
        for near in np.arange(start, end - length + 0.1, length).tolist():
            far = near + length
            places = np.array([[near, d, 0.0], [near, d, tall], [far, d, tall], [far, d, 0.0]])
            texture = self._guard if guard else self._rail
            panels.append(Fence(near, places, texture, gain, 50.0))
        return panels

    def street_trees(
        self, rng: np.random.Generator, plots: Plots, start: float, end: float, side: int
    ) -> list[Item]:
        """Return the trees of the pavement, if this stretch has any."""
        if rng.random() > self._street_trees:
            return []
        d = self._profile.kerb(side) + side * 1.0
        scale = float(rng.uniform(0.8, 1.2))
        return [
            plots.standing_tree(rng, s, d, scale) for s in (start + 4.0, start + 18.0) if s < end
        ]

    def parked(
        self, rng: np.random.Generator, start: float, end: float, side: int, heading: float
    ) -> list[Vehicle]:
        """Return the cars parked at the kerb."""
        if not self._profile.parking[side > 0]:
            return []
        d = self._profile.kerb(side) - side * 1.08
        cars = []
        for s in np.arange(start + 3.0, end, 6.0):
            if rng.random() < 0.5:
                way = self._profile.traffic_side * side * (1 if rng.random() < 0.9 else -1)
                model, paint = int(rng.integers(6)), int(rng.integers(97))
                at, to = float(s + rng.uniform(-0.4, 0.4)), float(d + rng.uniform(-0.1, 0.12))
                cars.append(Vehicle(at, to, way, model, paint, self._garage, heading))
        return cars

    def bicycles(self, rng: np.random.Generator, s: float, side: int) -> list[Item]:
        """Return a parked bicycle or two."""
        d = self._profile.frontage(side) - side * 0.6
        texture: Texture = bicycle_texture(self._seed, int(rng.integers(6))).lit(
            self._light.upright(0.4)
        )
        return [
            Standing(
                s + n * 0.8, place(s + n * 0.8, d), texture, (1.75, 1.0), BICYCLIST, None, 45.0
            )
            for n in range(int(rng.integers(1, 3)))
        ]
