"""Cars, vans and buses: a side profile with width, painted face by face with the camera's view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import F64, U8

PER_M = 72

Bgr = tuple[float, float, float]
PAINTS: tuple[Bgr, ...] = (
    (206, 208, 210), (232, 234, 234), (150, 154, 156), (44, 42, 42), (40, 34, 150), (120, 60, 30),
    (84, 84, 88), (58, 84, 44), (40, 130, 190), (150, 110, 60), (60, 60, 60), (100, 130, 150),
    (180, 190, 196), (30, 30, 60),
)  # fmt: skip
BUS_PAINTS = (4, 5, 8, 1, 7)


@dataclass(frozen=True)
class Model:
    """The shape of a car in metres; along counts forward from the middle.

    Args:
        length: bumper to bumper.
        width: at the doors.
        belt: height where the windows begin, at the rear and at the front.
        bonnet: height of the bonnet's front edge.
        roof: height of the roof.
        tail: along where the rear window begins below and the roof begins.
        nose: along where the roof ends and the windscreen ends below.
        narrow: width of the roof as a part of `width`.
        doors: number of side windows.
    """

    length: float
    width: float
    belt: float
    bonnet: float
    roof: float
    tail: tuple[float, float]
    nose: tuple[float, float]
    narrow: float
    doors: int


MODELS = (
    Model(4.0, 1.75, 0.95, 0.78, 1.48, (-1.95, -1.55), (0.25, 1.05), 0.76, 2),
    Model(4.5, 1.80, 0.94, 0.76, 1.43, (-1.75, -1.0), (0.2, 1.1), 0.74, 2),
    Model(4.6, 1.85, 0.98, 0.80, 1.50, (-2.2, -1.95), (0.2, 1.1), 0.76, 3),
    Model(4.7, 1.95, 1.10, 1.00, 1.75, (-2.25, -2.05), (0.35, 1.15), 0.80, 3),
    Model(5.2, 2.00, 1.20, 1.05, 2.15, (-2.58, -2.52), (1.2, 2.0), 0.90, 1),
    Model(3.6, 1.65, 0.95, 0.85, 1.52, (-1.78, -1.5), (0.35, 1.1), 0.76, 2),
    Model(10.5, 2.5, 1.25, 1.2, 3.0, (-5.23, -5.2), (5.1, 5.22), 0.97, 7),
)
BUS = 6


@dataclass(frozen=True)
class Coachwork:
    """The textures of one car: side below and above the belt, both ends below and above, tops;
    for far cars also each side and end as a whole."""

    side_low: Texture
    side_high: Texture
    rear_low: Texture
    rear_high: Texture
    front_low: Texture
    front_high: Texture
    bonnet: Texture
    roof: Texture
    side: Texture
    rear: Texture
    front: Texture


def coachwork(model: Model, paint: Bgr, lamps: bool) -> Coachwork:
    """Paint the textures of `model` in `paint`; `lamps` are lit at dusk."""
    side = _side(model, paint)
    cut = side.shape[0] - round(model.belt * PER_M)
    rear, front = _end_low(model, paint, True, lamps), _end_low(model, paint, False, lamps)
    window = _end_high(model, paint)
    return Coachwork(
        side_low=Texture(side[cut:]),
        side_high=Texture(side[:cut]),
        rear_low=Texture(rear),
        rear_high=Texture(window),
        front_low=Texture(front),
        front_high=Texture(window),
        bonnet=Texture(_sheet(paint, 1.08)),
        roof=Texture(_sheet(paint, 1.15)),
        side=Texture(side),
        rear=Texture(_stacked(model, window, rear)),
        front=Texture(_stacked(model, window, front)),
    )


def _stacked(model: Model, window: U8, low: U8) -> U8:
    """An end as a whole: the window, narrowed to the roof, on the lower half."""
    height, width = round(model.roof * PER_M), low.shape[1]
    picture = np.zeros((height, width, 4), np.uint8)
    belt = height - low.shape[0]
    inset = width * (1 - model.narrow) / 2
    here = np.array([[0, 0], [width, 0], [width, window.shape[0]], [0, window.shape[0]]], "f")
    there = np.array([[inset, 0], [width - inset, 0], [width, belt], [0, belt]], np.float32)
    matrix = cv2.getPerspectiveTransform(here, there)
    picture[:belt] = cv2.warpPerspective(window, matrix, (width, belt))
    picture[belt:] = low
    return picture


def faces(model: Model) -> dict[str, F64]:
    """Return the corners [4, 3] (along, right, up) of each face: top left, top right, bottom
    right, bottom left, as seen from outside."""
    h, n = model.width / 2, model.width / 2 * model.narrow
    b, f = -model.length / 2, model.length / 2
    belt, top, nose = model.belt, model.roof, model.bonnet
    (tail, tail_top), (nose_top, cowl) = model.tail, model.nose
    return {
        "left_low": _quad((f, -h, belt), (b, -h, belt), (b, -h, 0), (f, -h, 0)),
        "right_low": _quad((b, h, belt), (f, h, belt), (f, h, 0), (b, h, 0)),
        "left_high": _quad((f, -n, top), (b, -n, top), (b, -h, belt), (f, -h, belt)),
        "right_high": _quad((b, n, top), (f, n, top), (f, h, belt), (b, h, belt)),
        "rear_low": _quad((b, -h, belt), (b, h, belt), (b, h, 0), (b, -h, 0)),
        "rear_high": _quad(
            (tail_top, -n, top), (tail_top, n, top), (tail, h, belt), (tail, -h, belt)
        ),
        "front_low": _quad((f, h, nose), (f, -h, nose), (f, -h, 0), (f, h, 0)),
        "front_high": _quad(
            (nose_top, n, top), (nose_top, -n, top), (cowl, -h, belt), (cowl, h, belt)
        ),
        "left": _quad((f, -h, top), (b, -h, top), (b, -h, 0), (f, -h, 0)),
        "right": _quad((b, h, top), (f, h, top), (f, h, 0), (b, h, 0)),
        "rear": _quad((b, -h, top), (b, h, top), (b, h, 0), (b, -h, 0)),
        "front": _quad((f, h, top), (f, -h, top), (f, -h, 0), (f, h, 0)),
        "boot": _quad((tail, -h, belt), (tail, h, belt), (b, h, belt), (b, -h, belt)),
        "bonnet": _quad((cowl, h, belt), (cowl, -h, belt), (f, -h, nose), (f, h, nose)),
        "roof": _quad(
            (nose_top, -n, top), (nose_top, n, top), (tail_top, n, top), (tail_top, -n, top)
        ),
    }


def _quad(*corners: tuple[float, float, float]) -> F64:
    return np.array(corners, np.float64)


def _sheet(paint: Bgr, tone: float) -> U8:
    """Bare painted metal, lighter towards the far edge."""
    fall = np.linspace(1.15, 0.95, 32)[:, None, None]
    sheet = np.full((32, 32, 4), 255, np.uint8)
    sheet[:, :, :3] = np.clip(np.array(paint) * tone * fall, 0, 255)
    return sheet


def _metal(paint: Bgr, height: int, width: int) -> U8:
    """A painted flank: sky on the shoulder, street mirrored below."""
    y = np.linspace(0, 1, height)
    shine = 1.0 + 0.28 * np.exp(-(((y - 0.1) / 0.1) ** 2)) - 0.32 * np.clip(y - 0.45, 0, 1)
    sheet = np.full((height, width, 4), 255, np.uint8)
    lift = 14 * np.exp(-(((y - 0.12) / 0.1) ** 2))
    sheet[:, :, :3] = np.clip(np.array(paint) * shine[:, None, None] + lift[:, None, None], 0, 255)
    return sheet


def _side(model: Model, paint: Bgr) -> U8:
    """The right side, driving to the right: uint8 [roof, length, 4]."""
    height, width = round(model.roof * PER_M), round(model.length * PER_M)
    picture = np.zeros((height, width, 4), np.uint8)
    belt = height - round(model.belt * PER_M)
    picture[belt:] = _metal(paint, height - belt, width)
    _clip_nose(picture, model)
    cabin = _cabin(model, 0.0)
    _fill(picture, model, cabin, (*(value * 0.92 for value in paint), 255))
    _side_windows(picture, model)
    _door_lines(picture, model, paint)
    picture[height - round(0.3 * PER_M) :, :, :3] = (24, 24, 24)
    picture[height - round(0.22 * PER_M) :] = 0
    _wheels(picture, model)
    return picture


def _at(model: Model, along: float, up: float) -> tuple[float, float]:
    return (along + model.length / 2) * PER_M, (model.roof - up) * PER_M


def _cabin(model: Model, inset: float) -> list[tuple[float, float]]:
    (tail_low, tail_top), (nose_top, nose_low) = model.tail, model.nose
    roof, belt = model.roof - inset, model.belt + inset * 0.3
    return [
        _at(model, tail_low + inset * 1.6, belt), _at(model, tail_top + inset, roof),
        _at(model, nose_top - inset, roof), _at(model, nose_low - inset * 1.8, belt),
    ]  # fmt: skip


def _fill(
    picture: U8, model: Model, points: list[tuple[float, float]], ink: tuple[float, ...]
) -> None:
    fixed = np.rint(np.array(points) * 16).astype(np.int32)
    cv2.fillPoly(picture, [fixed], ink, cv2.LINE_AA, 4)


def _clip_nose(picture: U8, model: Model) -> None:
    """Cut the flank to the line of the bonnet and round the bumpers."""
    nose = model.nose[1]
    above = [
        _at(model, nose, model.belt + 0.02), _at(model, model.length / 2 + 0.1, model.belt + 0.02),
        _at(model, model.length / 2 + 0.1, model.bonnet),
        _at(model, model.length / 2, model.bonnet),
    ]  # fmt: skip
    _fill(picture, model, above, (0, 0, 0, 0))


def _side_windows(picture: U8, model: Model) -> None:
    glass = _cabin(model, 0.09)
    _fill(picture, model, glass, (54, 46, 40, 255))
    low, high = model.tail[1], model.nose[0]
    shine = [
        _at(model, low * 0.2 + high * 0.8, model.roof - 0.1), _at(model, high, model.roof - 0.1),
        _at(model, high - 0.3, model.belt + 0.05), _at(model, (low + high) / 2, model.belt + 0.05),
    ]  # fmt: skip
    _fill(picture, model, shine, (110, 98, 86, 255))
    for pillar in range(1, model.doors):
        along = low + (high + 0.25 - low) * pillar / model.doors
        x, top = _at(model, along, model.roof - 0.05)
        bottom = _at(model, along, model.belt)[1]
        cv2.line(picture, (round(x), round(top)), (round(x), round(bottom)), (30, 28, 28, 255), 5)


def _door_lines(picture: U8, model: Model, paint: Bgr) -> None:
    dark = (*(value * 0.5 for value in paint), 255)
    for part in np.linspace(model.tail[0] + 0.5, model.nose[1], max(model.doors, 2) + 1):
        x, top = _at(model, float(part), model.belt)
        bottom = _at(model, float(part), 0.3)[1]
        cv2.line(picture, (round(x), round(top)), (round(x), round(bottom)), dark, 1)
        handle = (round(x + 8), round(top + 12))
        cv2.rectangle(picture, handle, (handle[0] + 11, handle[1] + 2), dark, -1)
    for end, ink in ((-1, (40, 40, 190, 255)), (1, (220, 232, 236, 255))):
        up = model.bonnet - 0.12 if end > 0 else model.belt - 0.15
        x, y = _at(model, end * (model.length / 2 - 0.12), up)
        cv2.ellipse(picture, (round(x), round(y)), (12, 7), 0, 0, 360, ink, -1, cv2.LINE_AA)


def _wheels(picture: U8, model: Model) -> None:
    radius = 0.48 if model.length > 8 else 0.32
    for along in (-0.3 * model.length, 0.31 * model.length):
        x, y = _at(model, along, radius)
        centre, size = (round(x * 16), round(y * 16)), round(radius * PER_M * 16)
        for part, ink in ((1.2, 16), (1.0, 34), (0.66, 168), (0.52, 110), (0.16, 60)):
            colour = (ink, ink, ink, 255)
            cv2.circle(picture, centre, round(size * part), colour, -1, cv2.LINE_AA, 4)
        for spoke in range(5):
            angle = spoke * 2 * np.pi / 5
            tip = (
                round(centre[0] + size * 0.55 * np.cos(angle)),
                round(centre[1] + size * 0.55 * np.sin(angle)),
            )
            cv2.line(picture, centre, tip, (185, 185, 185, 255), 4, cv2.LINE_AA, 4)


def _end_low(model: Model, paint: Bgr, rear: bool, lamps: bool) -> U8:
    """The lower half of an end: bumper, lamps, plate, and the tyres below."""
    tall = model.belt if rear else model.bonnet
    height, width = round(tall * PER_M), round(model.width * PER_M)
    picture = _metal(paint, height, width)
    across = np.abs(np.linspace(-1, 1, width)) ** 5
    picture[:, :, :3] = (picture[:, :, :3] * (1 - 0.3 * across)[None, :, None]).astype(np.uint8)
    low = height - round(0.26 * PER_M)
    bumper = height - round(0.5 * PER_M)
    picture[bumper:low, :, :3] = (picture[bumper:low, :, :3] * 0.78).astype(np.uint8)
    picture[bumper : bumper + 2, :, :3] //= 2
    picture[low:] = 0
    inset = round(0.05 * width)
    picture[low : low + round(0.15 * PER_M), inset:-inset] = (16, 16, 16, 255)
    for x in (inset, round(0.81 * width)):
        tyre = (x, low - 5), (x + round(0.14 * width), height - 1)
        cv2.rectangle(picture, *tyre, (30, 30, 30, 255), -1)
        cv2.rectangle(picture, (x, low - 5), (x + 2, height - 1), (50, 50, 50, 255), -1)
    for corner in (np.s_[low - 4 : low, :3], np.s_[low - 4 : low, -3:]):
        picture[corner] = 0
    if rear:
        _rear_lamps(picture, width, height, lamps)
    else:
        _grille(picture, width, bumper, lamps)
    plate = (238, 240, 240, 255) if not rear else (60, 205, 240, 255)
    half, y = round(0.26 * PER_M), bumper - (round(0.2 * PER_M) if rear else -8)
    cv2.rectangle(picture, (width // 2 - half, y), (width // 2 + half, y + 9), plate, -1)
    cv2.rectangle(
        picture,
        (width // 2 - half + 6, y + 3),
        (width // 2 + half - 6, y + 6),
        (40, 40, 40, 255),
        -1,
    )
    return picture


def _rear_lamps(picture: U8, width: int, height: int, lamps: bool) -> None:
    red = (60, 60, 255, 255) if lamps else (38, 34, 178, 255)
    top = round(0.12 * height)
    for x, step in ((3, 1), (width - 4, -1)):
        wide = round(0.15 * width) * step
        cv2.rectangle(picture, (x, top), (x + wide, top + round(0.2 * height)), red, -1)
        cv2.rectangle(picture, (x, top + 4), (x + wide, top + 8), (120, 140, 235, 255), -1)


def _grille(picture: U8, width: int, bumper: int, lamps: bool) -> None:
    top, tall = round(0.12 * bumper), max(6, round(0.5 * bumper))
    cv2.rectangle(
        picture, (width // 3, top + 2), (2 * width // 3, top + tall), (34, 34, 34, 255), -1
    )
    for y in range(top + 4, top + tall, 4):
        cv2.line(picture, (width // 3, y), (2 * width // 3, y), (110, 112, 112, 255), 1)
    glass = (245, 252, 255, 255) if lamps else (222, 226, 226, 255)
    for x in (round(0.16 * width), round(0.84 * width)):
        centre = (x, top + tall // 2)
        cv2.ellipse(
            picture,
            centre,
            (round(0.13 * width), tall // 2),
            0,
            0,
            360,
            (70, 70, 70, 255),
            -1,
            cv2.LINE_AA,
        )
        cv2.ellipse(
            picture, centre, (round(0.11 * width), tall // 2 - 2), 0, 0, 360, glass, -1, cv2.LINE_AA
        )


def _end_high(model: Model, paint: Bgr) -> U8:
    """A window seen from an end: body around, sky in the glass."""
    height = max(8, round((model.roof - model.belt) * PER_M * 1.1))
    width = round(model.width * PER_M)
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[:, :, :3] = np.clip(np.array(paint) * 0.95, 0, 255)
    y, x = np.mgrid[0:height, 0:width]
    level = np.clip(0.85 - y / height + 0.25 * (x / width - 0.5), 0, 1) ** 1.5
    glass = np.array((44, 38, 34)) + level[:, :, None] * np.array((120, 112, 104))
    edge = round(0.07 * PER_M)
    low = height - 2 if model.length < 8 else round(0.62 * height)
    picture[edge:low, edge : width - edge, :3] = glass[edge:low, edge : width - edge]
    if model.length > 8:
        picture[edge : edge + 14, width // 5 : -width // 5, :3] = (26, 24, 24)
        picture[edge + 4 : edge + 10, width // 4 : -width // 3, :3] = (40, 190, 250)
    return picture
