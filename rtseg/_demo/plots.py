"""What stands behind the pavement: rows of shops, houses with gardens, offices, parks."""

from __future__ import annotations

import numpy as np

from rtseg._demo.buildings import House, Plot, Row
from rtseg._demo.canvas import Texture
from rtseg._demo.fences import KINDS, Fence, fence_texture
from rtseg._demo.items import Item, Standing, place
from rtseg._demo.light import Light, facing
from rtseg._demo.noise import F64, generator, unit
from rtseg._demo.posts import Plate, SignPost
from rtseg._demo.route import Profile
from rtseg._demo.signs import plate_texture
from rtseg._demo.trees import KINDS as TREES
from rtseg._demo.trees import tree_texture
from rtseg._demo.truth import TREE
from rtseg._demo.walls import Style, Walls, style_of

ZONES = ("terrace", "shops", "houses", "offices", "park")
TREE_M = (5.6, 7.0)


class Plots:
    """Builds what is behind the pavement on one side of one chunk."""

    def __init__(self, seed: int, profile: Profile, light: Light) -> None:
        self._seed, self._profile, self._light = seed, profile, light
        self._walls = Walls(seed)
        self._trees: dict[int, Texture] = {}
        weights = np.array([0.25, 0.25, 0.28, 0.1, 0.12]) * generator(seed, 9).uniform(0.3, 1.7, 5)
        self._weights = np.cumsum(weights / weights.sum())

    def zone(self, number: int, side: int) -> str:
        """Return what kind of plots chunk `number` has on `side`; it holds for some chunks."""
        where = unit(self._seed, 10, side, (number + (side > 0)) // 3)
        return ZONES[min(int(np.searchsorted(self._weights, where)), len(ZONES) - 1)]

    def tree(self, kind: int) -> Texture:
        """Return one of the drive's trees."""
        kind %= TREES
        if kind not in self._trees:
            self._trees[kind] = tree_texture(self._seed, kind)
        return self._trees[kind]

    def standing_tree(self, rng: np.random.Generator, s: float, d: float, scale: float) -> Standing:
        """Return a tree at (s, d) about `scale` times 7 m tall."""
        tall = scale * rng.uniform(0.85, 1.2)
        tint = rng.uniform(0.85, 1.15)
        b, g, r = self._light.upright(0.2)
        gain = (b * tint, g * tint, r * tint * float(rng.uniform(0.9, 1.1)))
        return Standing(
            s, place(s, d), self.tree(int(rng.integers(TREES))),
            (TREE_M[0] * tall, TREE_M[1] * tall), TREE, gain, 150.0, bool(rng.random() < 0.5),
        )  # fmt: skip

    def build(
        self,
        rng: np.random.Generator,
        zone: str,
        start: float,
        end: float,
        side: int,
        heading: float,
    ) -> list[Item]:
        """Return what stands between `start` and `end` on `side`."""
        if zone == "park":
            return self._park(rng, start, end, side, heading)
        if zone == "houses":
            return self._gardens(rng, start, end, side, heading)
        return self._row(rng, zone, start, end, side, heading)

    def _style(self, rng: np.random.Generator, modern: bool) -> Style:
        return style_of(rng, modern, 0.4 if self._light.lamps else 0.03)

    def _row(
        self,
        rng: np.random.Generator,
        zone: str,
        start: float,
        end: float,
        side: int,
        heading: float,
    ) -> list[Item]:
        """Houses wall to wall at the pavement."""
        front = self._profile.frontage(side)
        items: list[Item] = []
        count = int(rng.integers(1, 3)) if zone == "offices" else int(rng.integers(2, 4))
        cuts = np.linspace(start, end, count + 1)
        cuts[1:-1] += rng.uniform(-1.2, 1.2, count - 1)
        lower = 0.0
        for near, far in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            floors = int(rng.integers(3, 7)) if zone == "offices" else int(rng.integers(2, 5))
            shop = zone == "shops" or rng.random() < 0.2
            style = self._style(rng, zone == "offices")
            set_back = side * float(rng.choice([0.0, 0.0, 0.3, 0.6]))
            pitched = zone != "offices" and bool(rng.random() < 0.6)
            tall = floors * style.floor + 2.0 * pitched
            plot = Plot(
                near, far, front + set_back, heading, floors, pitched, bool(shop), tall > lower
            )
            lower = tall
            items.append(House(rng, plot, style, self._walls, self._light))
            if shop and rng.random() < 0.6:
                items.append(self._hanging_sign(rng, near + 1.0, front - side * 0.55))
        items.append(Row([item for item in items if isinstance(item, House)]))
        return items

    def _hanging_sign(self, rng: np.random.Generator, s: float, d: float) -> Item:
        plate = Plate(plate_texture(rng).lit(self._light.upright(0.3)), 0.0, 3.1, (0.8, 1.0))
        return SignPost(s, place(s, d), plate.texture, (), 3.5, 0.05, (plate,), 50.0)

    def _gardens(
        self, rng: np.random.Generator, start: float, end: float, side: int, heading: float
    ) -> list[Item]:
        """Detached houses behind a fence, trees in the gaps."""
        front = self._profile.frontage(side)
        depth = side * float(rng.uniform(3.0, 5.5))
        middle = (start + end) / 2 + float(rng.uniform(-1, 1))
        houses: list[Item] = []
        modern = bool(rng.random() < 0.15)
        for near, far in ((start, middle - 1.2), (middle + 1.2, end - 1.0)):
            plot = Plot(near, far, front + depth, heading, int(rng.integers(2, 4)), True, False)
            houses.append(House(rng, plot, self._style(rng, modern), self._walls, self._light))
        houses.append(Row([item for item in houses if isinstance(item, House)]))
        trees: list[Item] = [
            self.standing_tree(rng, s, front + side * 1.8, float(rng.uniform(0.5, 0.9)))
            for s in rng.uniform(start, end, int(rng.integers(1, 4))).tolist()
        ]
        gap: list[Item] = [self.standing_tree(rng, middle, front + depth + side * 5, 1.1)]
        fence = self.fence(rng, start, end, front, heading, (0.9, 1.5))
        return _in_layers(end, [gap, houses, trees, fence])

    def _park(
        self, rng: np.random.Generator, start: float, end: float, side: int, heading: float
    ) -> list[Item]:
        """Trees in two rows behind a fence."""
        front = self._profile.frontage(side)
        rows: list[list[Item]] = []
        for row, per in ((8.0, 4.8), (1.9, 4.4)):
            trees: list[Item] = []
            for s in np.arange(start + 1.0, end, per):
                d = front + side * (row + float(rng.uniform(-0.6, 0.8)))
                at = float(s + rng.uniform(-1, 1))
                trees.append(self.standing_tree(rng, at, d, float(rng.uniform(0.8, 1.35))))
            rows.append(trees)
        return _in_layers(end, [*rows, self.fence(rng, start, end, front, heading, (1.0, 1.7))])

    def fence(
        self,
        rng: np.random.Generator,
        start: float,
        end: float,
        d: float,
        heading: float,
        tall: tuple[float, float],
    ) -> list[Item]:
        """Return panels of one kind of fence from `start` to `end` at `d`."""
        kind = KINDS[int(rng.integers(len(KINDS) - 1))]
        height = float(rng.uniform(*tall))
        count = max(1, round((end - start) / 12.0))
        length = (end - start) / count
        texture = fence_texture(rng, kind, length, height)
        gain = self._light.on(facing(1 if d > 0 else -1, heading))
        panels: list[Item] = []
        for panel in range(count):
            near = start + panel * length
            panels.append(
                Fence(near + length, _upright(near, near + length, d, height), texture, gain, 55.0)
            )
        return panels


def _in_layers(end: float, layers: list[list[Item]]) -> list[Item]:
    """Sort the layers of a plot that ends at `end` from back to front, and all of them before
    what stands on the pavement along it."""
    for number, layer in enumerate(layers):
        back = end + 1.0 - number / len(layers)
        for item in layer:
            item.order = back + 1e-3 * (item.order - end)
    return [item for layer in layers for item in layer]


def _upright(near: float, far: float, d: float, height: float) -> F64:
    return np.array([[near, d, 0.0], [near, d, height], [far, d, height], [far, d, 0.0]])
