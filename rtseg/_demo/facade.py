"""Fronts of houses: windows with glass, doors, shops, balconies."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.noise import F32, U8, to_u8
from rtseg._demo.walls import PER_M, Bgr, Style

_SHOPS: tuple[Bgr, ...] = (
    (60, 40, 150), (120, 60, 30), (50, 110, 50), (30, 30, 36), (40, 120, 200), (150, 110, 40),
    (70, 60, 60), (200, 200, 200), (120, 40, 90), (40, 160, 200),
)  # fmt: skip


def panes_of(rng: np.random.Generator, style: Style) -> list[U8]:
    """Return some windows uint8 [h, w, 3] of a house; each stands in many places."""
    wide, tall = (round(size * PER_M) for size in style.window)
    return [_window(rng, style, wide, tall) for _ in range(6)]


def facade_texture(
    rng: np.random.Generator, front: U8, style: Style, panes: list[U8], floors: int, shop: bool
) -> U8:
    """Return a front uint8 [h, w, 4] of `floors` floors.

    Args:
        rng: draws what varies.
        front: the bare wall [h, w, 3]; it is painted on.
        style: how the house looks.
        panes: its windows.
        floors: number of floors.
        shop: puts a shop on the ground floor.
    """
    height, width = front.shape[:2]
    bays = max(1, round(width / PER_M / style.bay))
    floor_px = style.floor * PER_M
    extra = _EXTRAS[int(rng.integers(len(_EXTRAS)))]
    for floor in range(1, floors):
        window_row(rng, front, style, panes, bays, height - (floor + 1) * floor_px, extra)
        if style.sill and floor == 1:
            _band(front, round(height - floor * floor_px), 5, 1.18)
    if shop:
        _shop(rng, front, round(height - floor_px * 0.98))
    else:
        _ground_floor(rng, front, style, panes, bays, height - floor_px)
    _pipes(rng, front)
    _band(front, 0, round(0.35 * PER_M), 1.16)
    _band(front, round(0.35 * PER_M), 4, 0.66)
    _band(front, height - 4, 4, 0.72)
    bgra = np.full((height, width, 4), 255, np.uint8)
    bgra[:, :, :3] = front
    return bgra


def _band(front: U8, top: int, tall: int, factor: float) -> None:
    part = front[max(top, 0) : max(top, 0) + tall]
    part[:] = np.clip(part.astype(np.float32) * factor, 0, 255).astype(np.uint8)


def window_row(
    rng: np.random.Generator,
    front: U8,
    style: Style,
    panes: list[U8],
    bays: int,
    top: float,
    extra: str = "",
) -> None:
    """Put a row of `bays` windows onto `front`; the floor begins at row `top`."""
    axis = front.shape[1] / bays
    tall, wide = panes[0].shape[:2]
    wide = min(wide, round(axis) - 6)
    y = round(top + 0.55 * (style.floor * PER_M - tall))
    for bay in range(bays):
        x = round((bay + 0.5) * axis - wide / 2)
        _place(front, panes[int(rng.integers(len(panes)))][:, :wide], x, y, style.sill)
        if extra == "shutters":
            _shutters(front, x, y, wide, tall, style)
        elif extra == "flowers" and rng.random() < 0.5:
            _flowers(rng, front, x, y + tall, wide)
        elif extra == "balconies" and rng.random() < 0.6:
            _balcony(front, x, y, wide, tall)


def _shutters(front: U8, x: int, y: int, wide: int, tall: int, style: Style) -> None:
    colour = tuple(round(value * 0.5 + 20) for value in style.colour[::-1])
    each = max(4, wide // 3)
    for left in (x - each - 1, x + wide + 1):
        cv2.rectangle(front, (left, y), (left + each, y + tall), colour, -1)
        for line in range(y + 3, y + tall, 4):
            dark = tuple(round(value * 0.7) for value in colour)
            cv2.line(front, (left + 1, line), (left + each - 1, line), dark, 1)


def _flowers(rng: np.random.Generator, front: U8, x: int, y: int, wide: int) -> None:
    cv2.rectangle(front, (x, y), (x + wide, y + 7), (60, 80, 110), -1)
    for _ in range(wide):
        spot = (int(x + rng.uniform(0, wide)), int(y - rng.uniform(-3, 7)))
        colour = ((50, 110, 60), (40, 90, 50), (80, 60, 200), (200, 120, 210))[int(rng.integers(4))]
        cv2.circle(front, spot, 2, colour, -1)


def _balcony(front: U8, x: int, y: int, wide: int, tall: int) -> None:
    left, right, top, low = x - 8, x + wide + 8, y + tall // 2, y + tall + 8
    for bar in range(left, right, 5):
        cv2.line(front, (bar, top), (bar, low), (48, 46, 44), 1)
    cv2.rectangle(front, (left, top - 2), (right, top), (58, 56, 54), -1)
    cv2.rectangle(front, (left - 2, low - 3), (right + 2, low + 3), (178, 180, 180), -1)
    _shade(front, left, low + 4, right - left, 12, 0.7)


def _pipes(rng: np.random.Generator, front: U8) -> None:
    """A rain pipe at one edge."""
    if rng.random() < 0.6:
        x = 4 if rng.random() < 0.5 else front.shape[1] - 8
        cv2.rectangle(front, (x, 12), (x + 3, front.shape[0]), (70, 70, 72), -1)
        cv2.line(front, (x + 4, 12), (x + 4, front.shape[0]), (40, 40, 42), 1)


_EXTRAS = ("", "", "shutters", "flowers", "balconies")


def _place(front: U8, pane: U8, x: int, y: int, sill: bool) -> None:
    tall, wide = pane.shape[:2]
    x, y = max(x, 0), max(y, 0)
    if sill:
        _shade(front, x - 4, y - 5, wide + 8, 5, 1.2)
        _shade(front, x - 5, y + tall, wide + 10, 4, 1.25)
        _shade(front, x - 5, y + tall + 4, wide + 10, 4, 0.72)
    region = front[y : y + tall, x : x + wide]
    region[:] = pane[: region.shape[0], : region.shape[1]]


def _shade(front: U8, x: int, y: int, wide: int, tall: int, factor: float) -> None:
    part = front[max(y, 0) : max(y + tall, 0), max(x, 0) : x + wide]
    part[:] = np.clip(part.astype(np.float32) * factor + 4, 0, 255).astype(np.uint8)


def _glass(rng: np.random.Generator, wide: int, tall: int, dark: float) -> F32:
    """Glass that mirrors a bright sky above and a dark street below, at a slant."""
    y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
    tilt = float(rng.uniform(-0.5, 0.5))
    level = np.clip(0.75 - (y + tilt * (x - wide / 2)) / tall + rng.uniform(-0.45, 0.25), 0, 1)
    level = level * level * (3 - 2 * level)
    low, high = np.array((52, 46, 40)) * dark, np.array((190, 172, 150)) * rng.uniform(0.5, 1.0)
    glass = low + level[:, :, None] * (high - low)
    return np.asarray(
        glass + 2 * rng.standard_normal((tall, wide, 1), dtype=np.float32), np.float32
    )


def _window(rng: np.random.Generator, style: Style, wide: int, tall: int) -> U8:
    glass = _glass(rng, wide, tall, float(rng.uniform(0.6, 1.2)))
    if rng.random() < style.lit:
        warm = np.array((118, 205, 255)) * rng.uniform(0.75, 1.0)
        glow = 0.85 * warm * np.linspace(0.8, 1, tall)[:, None, None]
        glass = np.asarray(0.15 * glass + glow, np.float32)
    elif rng.random() < 0.45:
        tone = rng.uniform(120, 215) * np.array((0.96, 0.99, 1.0))
        side = round(wide * rng.uniform(0.12, 0.3))
        folds = 1 - 0.2 * np.sin(np.arange(wide) * 1.3)[None, :, None] ** 2
        curtain = np.broadcast_to(tone * folds, glass.shape)
        if rng.random() < 0.3:
            glass[: round(tall * rng.uniform(0.3, 0.8))] = tone * 0.85
        else:
            glass[:, :side] = 0.3 * glass[:, :side] + 0.7 * curtain[:, :side]
            glass[:, -side:] = 0.3 * glass[:, -side:] + 0.7 * curtain[:, -side:]
    glass[:4] *= 0.55
    glass[:, :2] *= 0.7
    pane = to_u8(glass)
    _frame(pane, style)
    return pane


def _frame(pane: U8, style: Style) -> None:
    tall, wide = pane.shape[:2]
    across, down = style.panes
    colour = style.frame
    cv2.rectangle(pane, (0, 0), (wide - 1, tall - 1), colour, 2)
    for part in range(1, across):
        x = round(part * wide / across)
        cv2.line(pane, (x, 0), (x, tall), colour, 2)
    for part in range(1, down):
        y = round(part * tall / down)
        cv2.line(pane, (0, y), (wide, y), colour, 1 if down > 2 else 2)


def _ground_floor(
    rng: np.random.Generator, front: U8, style: Style, panes: list[U8], bays: int, top: float
) -> None:
    window_row(rng, front, style, panes, bays, top)
    axis = front.shape[1] / bays
    for bay in {int(rng.integers(bays)), bays - 1 if bays > 3 else 0}:
        _door(rng, front, round((bay + 0.5) * axis), style)


def _door(rng: np.random.Generator, front: U8, middle: int, style: Style) -> None:
    wide, tall = round(1.1 * PER_M), round(2.25 * PER_M)
    x, y = max(middle - wide // 2, 2), front.shape[0] - tall
    colour = np.array(_SHOPS[int(rng.integers(len(_SHOPS)))])
    wall = np.array(style.colour)
    pad = round(style.window[0] * PER_M / 2) + 4
    region = front[y - 12 :, max(middle - pad, 0) : middle + pad]
    region[:] = np.clip(wall + rng.normal(0, 4, (*region.shape[:2], 1)), 0, 255)
    cv2.rectangle(front, (x - 4, y - 5), (x + wide + 4, front.shape[0]), (205, 208, 210), -1)
    cv2.rectangle(front, (x, y), (x + wide, front.shape[0]), tuple(colour.tolist()), -1)
    for row in (0.12, 0.45):
        inner = (x + 5, round(y + row * tall + 4)), (x + wide - 5, round(y + (row + 0.3) * tall))
        cv2.rectangle(front, *inner, tuple((colour * 0.7).tolist()), 1)
    cv2.circle(front, (x + wide - 5, y + tall // 2), 1, (160, 220, 240), -1)


def _shop(rng: np.random.Generator, front: U8, top: int) -> None:
    """A shop: fascia with lettering, big panes with goods behind, a door, maybe an awning."""
    height, width = front.shape[:2]
    colour = np.array(_SHOPS[int(rng.integers(len(_SHOPS)))])
    fascia = round(0.7 * PER_M)
    cv2.rectangle(front, (0, top), (width, height), tuple((colour * 0.8).tolist()), -1)
    cv2.rectangle(front, (0, top), (width, top + fascia), tuple(colour.tolist()), -1)
    _lettering(rng, front, (width // 2, top + fascia // 2), colour)
    panes = max(2, round(width / PER_M / 2.2))
    axis, door = width / panes, int(rng.integers(panes))
    for pane in range(panes):
        left, right = round(pane * axis) + 4, round((pane + 1) * axis) - 4
        low = height - (3 if pane == door else round(0.5 * PER_M))
        _display(rng, front[top + fascia + 4 : low, left:right])
    if rng.random() < 0.4:
        _awning(rng, front, top + fascia)


def _display(rng: np.random.Generator, pane: U8) -> None:
    tall, wide = pane.shape[:2]
    if tall < 4 or wide < 4:
        return
    glass = to_u8(_glass(rng, wide, tall, 0.8))
    for _ in range(int(rng.integers(3, 9))):
        x, y = int(rng.uniform(0, wide)), int(rng.uniform(0.3, 1) * tall)
        size = (int(rng.uniform(3, 14)), int(rng.uniform(4, 22)))
        goods = tuple(rng.uniform(50, 230, 3).tolist())
        cv2.rectangle(glass, (x, y), (x + size[0], y + size[1]), goods, -1)
    glass = cv2.addWeighted(glass, 0.7, to_u8(_glass(rng, wide, tall, 1.2)), 0.3, 0).astype(
        np.uint8
    )
    pane[:] = glass
    cv2.rectangle(pane, (0, 0), (wide - 1, tall - 1), (52, 50, 48), 1)


def _lettering(rng: np.random.Generator, front: U8, middle: tuple[int, int], back: F32) -> None:
    """Strokes that look like a name from the street."""
    ink = (238, 240, 242) if back.mean() < 150 else (50, 40, 40)
    letters = "".join(chr(65 + int(value)) for value in rng.integers(0, 26, rng.integers(4, 9)))
    size, _ = cv2.getTextSize(letters, cv2.FONT_HERSHEY_DUPLEX, 0.5, 1)
    place = (middle[0] - size[0] // 2, middle[1] + size[1] // 2)
    cv2.putText(front, letters, place, cv2.FONT_HERSHEY_DUPLEX, 0.5, ink, 1, cv2.LINE_AA)


def _awning(rng: np.random.Generator, front: U8, top: int) -> None:
    one = rng.uniform(40, 200, 3)
    tall, stripe = round(0.8 * PER_M), round(0.35 * PER_M)
    columns = (np.arange(front.shape[1]) // stripe) % 2
    cloth = np.where(columns[:, None] == 0, one, (232, 234, 236))
    slope = np.linspace(1.05, 0.8, tall)[:, None, None]
    front[top : top + tall] = np.clip(cloth * slope, 0, 255)
    _shade(front, 0, top + tall, front.shape[1], 10, 0.6)
