"""Pictures of a film have the colours, the shape and the side up that were filmed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.frames import Frame
from rtseg.stream.sources import SourceConfig, open_source

WriteFilm = Callable[..., Path]

PATCHES_BGR = np.array(
    [
        (255, 255, 255), (0, 0, 0), (0, 0, 255), (0, 255, 0),
        (255, 0, 0), (128, 128, 128), (40, 120, 200), (160, 90, 30),
    ],
    np.uint8,
)  # fmt: skip
LIMITED, FULL = 1, 2
"""AVColorRange."""
BT709, UNSPECIFIED, BT601, BT2020 = 1, 2, 6, 9
"""AVColorSpace."""
RED_BLUE_WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}


def patches(side: int = 32) -> np.ndarray:
    """Return a picture of 4 x 2 squares in known colours."""
    squares = PATCHES_BGR.reshape(2, 4, 3)
    return np.ascontiguousarray(squares.repeat(side, 0).repeat(side, 1))


def centres(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = height // 4 * np.array([1, 3]), width // 8 * np.array([1, 3, 5, 7])
    return image[np.ix_(rows, columns)].reshape(8, 3).astype(int)


def ycbcr(image_bgr: np.ndarray, matrix: int, colour_range: int, bits: int) -> list[np.ndarray]:
    """Return Y, Cb and Cr of a picture after ITU-R BT.601/709/2020, written out for the test."""
    blue, green, red = np.moveaxis(image_bgr.astype(float) / 255, -1, 0)
    red_weight, blue_weight = RED_BLUE_WEIGHTS[matrix]
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = [(blue - luma) / (2 * (1 - blue_weight)), (red - luma) / (2 * (1 - red_weight))]
    scale = 2 ** (bits - 8)
    if colour_range == FULL:
        planes = [luma * (2**bits - 1), *(c * (2**bits - 1) + 128 * scale for c in chroma)]
    else:
        planes = [(16 + 219 * luma) * scale, *((128 + 224 * c) * scale for c in chroma)]
    return [np.clip(np.round(plane), 0, 2**bits - 1) for plane in planes]


def write_ycbcr(
    path: Path,
    image_bgr: np.ndarray,
    pix_fmt: str,
    matrix: int,
    colour_range: int,
    tag: int | None = None,
) -> Path:
    """Write one lossless frame whose planes were computed here, not by the library under test."""
    bits = 10 if pix_fmt.endswith("10le") else 8
    height, width = image_bgr.shape[:2]
    frame = av.VideoFrame(width, height, pix_fmt)
    step_x = 1 if "444" in pix_fmt else 2
    step_y = 2 if "420" in pix_fmt else 1
    for plane, values in zip(
        frame.planes, ycbcr(image_bgr, matrix, colour_range, bits), strict=False
    ):
        full_size = values.shape[1] == plane.width
        part = values if full_size else values[::step_y, ::step_x]
        dtype = np.uint16 if bits > 8 else np.uint8
        rows = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
        rows[:, : plane.width] = part[: plane.height, : plane.width]
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range, frame.pts = tag or matrix, colour_range, 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.colorspace = tag or matrix
        stream.codec_context.color_range = colour_range
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def first(path: Path, **settings: Any) -> Frame:
    with open_source(SourceConfig(uri=str(path), **settings)) as source:
        frame = source.read()
    assert frame is not None
    assert frame.image_bgr.flags.c_contiguous
    assert frame.image_bgr.flags.writeable
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020])
def test_matrix_and_range_are_heeded(
    matrix: int, colour_range: int, pix_fmt: str, tmp_path: Path
) -> None:
    path = write_ycbcr(tmp_path / "p.mkv", patches(), pix_fmt, matrix, colour_range)
    assert np.abs(centres(first(path).image_bgr) - PATCHES_BGR.astype(int)).max() <= 3


@pytest.mark.parametrize(("side", "matrix"), [(32, BT601), (320, BT709)])
def test_without_a_named_matrix_the_size_decides_as_in_players(
    side: int, matrix: int, tmp_path: Path
) -> None:
    path = write_ycbcr(
        tmp_path / "p.mkv", patches(side), "yuv420p", matrix, LIMITED, tag=UNSPECIFIED
    )
    assert np.abs(centres(first(path).image_bgr) - PATCHES_BGR.astype(int)).max() <= 3


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le"])
def test_grey(pix_fmt: str, colour_range: int, tmp_path: Path) -> None:
    grey = np.ascontiguousarray(patches()[..., :1].repeat(3, axis=2))
    path = write_ycbcr(tmp_path / "g.mkv", grey, pix_fmt, BT601, colour_range)
    assert np.abs(centres(first(path).image_bgr) - centres(grey)).max() <= 2


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending"),
    [
        ("png", "rgba", "mov"), ("png", "rgb24", "mov"), ("ffv1", "bgra", "mkv"),
        ("ffv1", "yuva420p", "mkv"), ("ffv1", "gbrp10le", "mkv"), ("rawvideo", "nv12", "mkv"),
        ("rawvideo", "bgr24", "avi"), ("prores_ks", "yuva444p10le", "mov"),
        ("mjpeg", "yuvj444p", "mkv"), ("libx264", "yuv444p", "mp4"),
        ("libx265", "yuv420p10le", "mp4"), ("libx264rgb", "bgr24", "mkv"),
    ],
)  # fmt: skip
def test_alpha_rgb_deep_and_camera_formats(
    codec: str, pix_fmt: str, ending: str, tmp_path: Path, write_film: WriteFilm
) -> None:
    options = {"qmin": "1", "q": "1"} if codec == "mjpeg" else {"crf": "1"}
    if codec in ("png", "ffv1", "rawvideo", "prores_ks"):
        options = {}
    path = write_film(
        tmp_path / f"p.{ending}", [patches()] * 3, codec=codec, pix_fmt=pix_fmt, options=options
    )
    assert np.abs(centres(first(path).image_bgr) - PATCHES_BGR.astype(int)).max() <= 6


def test_alpha_leaves_the_colours_as_they_are_stored(tmp_path: Path, write_film: WriteFilm) -> None:
    rgba = np.dstack([patches()[..., ::-1], np.full((64, 128), 10, np.uint8)])
    path = write_film(
        tmp_path / "a.mov", [rgba], codec="png", pix_fmt="rgba", picture_format="rgba"
    )
    np.testing.assert_array_equal(first(path).image_bgr, patches())


def test_interlaced_film_keeps_its_colours(tmp_path: Path, write_film: WriteFilm) -> None:
    options = {"crf": "1", "x264-params": "interlaced=1:tff=1"}
    path = write_film(tmp_path / "i.mkv", [patches()] * 5, options=options)
    assert np.abs(centres(first(path).image_bgr) - PATCHES_BGR.astype(int)).max() <= 6


@pytest.mark.parametrize("wh", [(65, 49), (161, 97), (33, 200)])
@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("libx264", "yuv444p"), ("ffv1", "yuv420p"), ("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")],
)
def test_odd_sizes(
    wh: tuple[int, int], codec: str, pix_fmt: str, tmp_path: Path, write_film: WriteFilm
) -> None:
    width, height = wh
    ramp = np.linspace(20, 230, width, dtype=np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))
    path = write_film(tmp_path / "odd.mkv", [image] * 2, codec=codec, pix_fmt=pix_fmt)
    got = first(path).image_bgr
    assert got.shape == image.shape
    assert np.abs(got.astype(int) - image).mean() < 4


MATRICES = {  # a, b, c, d of the display matrix, and the way from the upright to the stored picture
    "90 clockwise": ((0, 1, -1, 0), lambda upright: np.rot90(upright, 1)),
    "180": ((-1, 0, 0, -1), lambda upright: np.rot90(upright, 2)),
    "90 counterclockwise": ((0, -1, 1, 0), lambda upright: np.rot90(upright, -1)),
    "mirrored": ((-1, 0, 0, 1), lambda upright: upright[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda upright: upright[::-1]),
    "transposed": ((0, 1, 1, 0), lambda upright: upright.transpose(1, 0, 2)),
    "anti-transposed": ((0, -1, -1, 0), lambda upright: np.rot90(upright, 2).transpose(1, 0, 2)),
}


def upright() -> np.ndarray:
    """Return a picture that looks different in each of the eight ways to lay it."""
    image = np.full((64, 96, 3), 60, np.uint8)
    image[:16, :48] = (200, 200, 200)
    image[:40, :16] = (30, 30, 220)
    return image


def set_display_matrix(path: Path, abcd: tuple[int, int, int, int]) -> None:
    """Write a matrix into the track header of an MP4 file, as a phone does."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in abcd)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("name", MATRICES)
def test_rotation_metadata_turn_the_picture_upright(
    name: str, tmp_path: Path, write_film: WriteFilm
) -> None:
    abcd, to_stored = MATRICES[name]
    stored = np.ascontiguousarray(to_stored(upright()))
    path = write_film(tmp_path / "phone.mp4", [stored] * 3)
    set_display_matrix(path, abcd)
    with open_source(SourceConfig(uri=str(path))) as source:
        assert source.info.hw == (64, 96)
    shown = first(path).image_bgr
    assert shown.shape == upright().shape
    assert np.abs(shown.astype(int) - upright()).mean() < 4
    as_stored = first(path, rotate="0").image_bgr
    assert np.abs(as_stored.astype(int) - stored).mean() < 4


@pytest.mark.parametrize(
    ("aspect", "wh"), [("4/3", (85, 48)), ("1/2", (64, 96)), ("1/1", (64, 48))]
)
def test_pixels_become_square(
    aspect: str, wh: tuple[int, int], tmp_path: Path, write_film: WriteFilm, number_of: Any
) -> None:
    path = write_film(tmp_path / "sar.mp4", 4, options={"aspect": aspect.replace("/", ":")})
    with open_source(SourceConfig(uri=str(path))) as source:
        assert source.info.hw == wh[::-1]
        frames = list(source)
    assert [frame.hw for frame in frames] == 4 * [wh[::-1]]
    assert Fraction(wh[0], 64) / Fraction(wh[1], 48) == pytest.approx(Fraction(aspect), abs=0.01)


@pytest.mark.parametrize("ending", ["h264", "ts"])
def test_changes_of_size_are_followed(
    ending: str, tmp_path: Path, write_film: WriteFilm, numbered: Any, number_of: Any
) -> None:
    sizes = [(64, 48), (128, 96), (80, 64)]
    parts = [
        write_film(tmp_path / f"{w}.{ending}", [numbered(i, (w, h)) for i in range(10)])
        for w, h in sizes
    ]
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_source(SourceConfig(uri=str(joined))) as source:
        frames = list(source)
        assert source.problems() == []
    assert [frame.hw[::-1] for frame in frames] == [wh for wh in sizes for _ in range(10)]
    assert [number_of(frame.image_bgr) for frame in frames] == 3 * list(range(10))
