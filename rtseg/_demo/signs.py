"""Traffic signs, traffic lights and big direction boards, as flat pictures."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import U8

_SIZE = 128
_WHITE, _RED, _BLUE = (240, 242, 244, 255), (40, 36, 200, 255), (170, 80, 20, 255)
_BLACK, _YELLOW, _GREY = (30, 28, 28, 255), (40, 200, 245, 255), (150, 150, 150, 255)

ROUND_SIGNS = ("limit", "warning", "stop", "no entry", "arrow", "parking", "crossing")


def _blank(height: int = _SIZE, width: int = _SIZE) -> U8:
    return np.zeros((height, width, 4), np.uint8)


def _poly(picture: U8, points: list[tuple[float, float]], colour: tuple[int, ...]) -> None:
    fixed = np.rint(np.array(points) * 16).astype(np.int32)
    cv2.fillPoly(picture, [fixed], colour, cv2.LINE_AA, 4)


def _disc(picture: U8, radius: int, colour: tuple[int, ...]) -> None:
    cv2.circle(picture, (_SIZE // 2, _SIZE // 2), radius, colour, -1, cv2.LINE_AA)


def _words(picture: U8, text: str, scale: float, colour: tuple[int, ...], middle_y: int) -> None:
    size, _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 3)
    place = ((picture.shape[1] - size[0]) // 2, middle_y + size[1] // 2)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 4, cv2.LINE_AA)


def _regular(sides: int, radius: float, turn: float) -> list[tuple[float, float]]:
    angles = np.arange(sides) * 2 * np.pi / sides + turn
    half = _SIZE / 2
    return [(half + radius * float(np.sin(a)), half - radius * float(np.cos(a))) for a in angles]


def sign_texture(kind: str, number: int) -> Texture:
    """Return a sign of `kind` (one of ROUND_SIGNS); `number` varies what is on it."""
    picture = _blank()
    if kind == "limit":
        _disc(picture, 62, _RED)
        _disc(picture, 46, _WHITE)
        _words(picture, ("20", "30", "40", "50")[number % 4], 1.7, _BLACK, 64)
    elif kind == "warning":
        _poly(picture, [(64, 4), (126, 116), (2, 116)], _RED)
        _poly(picture, [(64, 32), (102, 102), (26, 102)], _WHITE)
        _poly(picture, [(60, 52), (68, 52), (66, 80), (62, 80)], _BLACK)
        cv2.circle(picture, (64, 90), 5, _BLACK, -1, cv2.LINE_AA)
    elif kind == "stop":
        _poly(picture, _regular(8, 63, np.pi / 8), _WHITE)
        _poly(picture, _regular(8, 58, np.pi / 8), _RED)
        _words(picture, "STOP", 1.15, _WHITE, 64)
    elif kind == "no entry":
        _disc(picture, 62, _RED)
        cv2.rectangle(picture, (22, 54), (106, 74), _WHITE, -1)
    elif kind == "arrow":
        _disc(picture, 62, _WHITE)
        _disc(picture, 57, _BLUE)
        turned = [(30, 64), (64, 30), (64, 52), (100, 52), (100, 76), (64, 76), (64, 98)]
        if number % 2:
            turned = [(128 - x, y) for x, y in turned]
        _poly(picture, [(float(x), float(y)) for x, y in turned], _WHITE)
    else:
        _square(picture, kind)
    return Texture(picture)


def _square(picture: U8, kind: str) -> None:
    cv2.rectangle(picture, (6, 6), (122, 122), _WHITE, -1)
    cv2.rectangle(picture, (10, 10), (118, 118), _BLUE, -1)
    if kind == "parking":
        _words(picture, "P", 3.2, _WHITE, 64)
        return
    _poly(picture, [(64, 20), (112, 106), (16, 106)], _WHITE)
    cv2.circle(picture, (64, 48), 8, _BLACK, -1, cv2.LINE_AA)
    _poly(picture, [(58, 58), (72, 58), (78, 98), (68, 98), (64, 78), (56, 98), (48, 98)], _BLACK)


def board_texture(rng: np.random.Generator) -> Texture:
    """Return a direction board, 2.4 wide to 1.5 high."""
    picture = _blank(160, 256)
    back = ((150, 74, 20, 255), (70, 110, 20, 255), (238, 240, 240, 255), (40, 190, 235, 255))[
        int(rng.integers(4))
    ]
    ink = _WHITE if sum(back[:3]) < 450 else _BLACK
    cv2.rectangle(picture, (2, 2), (253, 157), ink, -1)
    cv2.rectangle(picture, (6, 6), (249, 153), back, -1)
    for row in range(3):
        y = 34 + row * 46
        text = "".join(chr(97 + int(value)) for value in rng.integers(0, 26, rng.integers(4, 8)))
        cv2.putText(
            picture, text.title(), (64, y + 8), cv2.FONT_HERSHEY_SIMPLEX, 1.0, ink, 3, cv2.LINE_AA
        )
        cv2.arrowedLine(picture, (48, y + 10), (22, y - 10), ink, 4, cv2.LINE_AA, 0, 0.4)
    return Texture(picture)


def plate_texture(rng: np.random.Generator) -> Texture:
    """Return a shop's hanging sign, taller than wide."""
    picture = _blank(128, 96)
    back = (*(int(value) for value in rng.uniform(30, 220, 3)), 255)
    ink = _WHITE if sum(back[:3]) < 380 else _BLACK
    cv2.rectangle(picture, (2, 2), (93, 125), back, -1)
    cv2.rectangle(picture, (6, 6), (89, 121), ink, 2)
    cv2.circle(picture, (48, 50), 26, ink, -1, cv2.LINE_AA)
    cv2.circle(picture, (48, 50), 16, back, -1, cv2.LINE_AA)
    cv2.rectangle(picture, (18, 92), (78, 102), ink, -1)
    return Texture(picture)


def lights_texture(state: str) -> Texture:
    """Return a traffic light's head that shows "red", "amber" or "green"."""
    picture = _blank(160, 72)
    cv2.rectangle(picture, (1, 1), (70, 158), (215, 218, 220, 255), -1)
    cv2.rectangle(picture, (5, 5), (66, 154), (28, 28, 26, 255), -1)
    lamps = {"red": (40, 40, 250), "amber": (30, 170, 255), "green": (120, 240, 60)}
    for row, (name, colour) in enumerate(lamps.items()):
        middle = (36, 31 + row * 49)
        lit = name == state
        dim = tuple(round(value * (1.0 if lit else 0.22)) for value in colour)
        cv2.circle(picture, middle, 19, (12, 12, 12, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, middle, 17, (*dim, 255), -1, cv2.LINE_AA)
        if lit:
            cv2.circle(picture, middle, 8, (225, 240, 245, 255), -1, cv2.LINE_AA)
    return Texture(picture)


def beacon_texture() -> Texture:
    """Return the amber globe of a zebra crossing."""
    picture = _blank(64, 64)
    cv2.circle(picture, (32, 32), 30, (20, 150, 240, 255), -1, cv2.LINE_AA)
    cv2.circle(picture, (24, 22), 10, (120, 215, 255, 255), -1, cv2.LINE_AA)
    return Texture(picture)
