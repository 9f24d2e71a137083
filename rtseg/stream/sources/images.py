"""Pictures as a source: one, those of a folder, or those that a quoted pattern names."""

from __future__ import annotations

import glob
import math
import re
import time
from pathlib import Path

from rtseg.errors import SourceError
from rtseg.frames import Image
from rtseg.stream.sources._picture_file import read_picture
from rtseg.stream.sources.capture import SOURCES, TIME_TOLERANCE_S, Capture, Shot
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.uri import scheme

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pnm",
)
DEFAULT_FPS = 10.0
_MAX_NAMED = 3
"""So many damaged pictures are named, the others counted."""


@SOURCES.register("images")
class PictureCapture(Capture):
    """Pictures in the natural order of their names (2 before 10), a fixed time after one another.

    They may differ in size. EXIF orientation is heeded where `rotate` is auto. A damaged picture
    is left out and counted; its time stays empty.
    """

    def __init__(self, config: SourceConfig) -> None:
        self.name = config.uri
        self.fps = config.fps or DEFAULT_FPS
        self._turned = config.rotate == "auto"
        self._paths = find_pictures(config.uri)
        self.num_frames = len(self._paths)
        self._damaged: dict[Path, str] = {}
        self._next = 0
        self._ahead: tuple[int, Image] | None = None
        self.hw = self._first_hw()

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` is a folder, a pattern, or ends as a picture does."""
        if scheme(uri) or "\0" in uri:
            return False
        path = Path(uri)
        return (
            path.suffix.lower() in SUFFIXES
            or _is_folder(path)
            or (glob.has_magic(uri) and not _exists(path))
        )

    def grab(self) -> float | None:
        """Go on to the next picture; it is not read yet."""
        if self._next >= len(self._paths):
            return None
        self._next += 1
        return (self._next - 1) / (self.fps or DEFAULT_FPS)

    def retrieve(self) -> Shot | None:
        """Read the picture that was grabbed; None where it is damaged."""
        image = self._read(self._next - 1)
        if image is None:
            return None
        self.hw = image.shape[0], image.shape[1]
        return Shot(image, time.monotonic_ns())

    def rewind(self, start_s: float) -> None:
        """Go to the first picture at or after `start_s`."""
        self._next = math.ceil((start_s - TIME_TOLERANCE_S) * (self.fps or DEFAULT_FPS))

    def problems(self) -> list[str]:
        """Return which pictures are damaged."""
        reasons = list(self._damaged.values())
        lines = [f"left out: {reason}" for reason in reasons[:_MAX_NAMED]]
        if len(reasons) > _MAX_NAMED:
            lines.append(f"left out: {len(reasons) - _MAX_NAMED} more damaged pictures")
        return lines

    def _first_hw(self) -> tuple[int, int]:
        for position in range(len(self._paths)):
            image = self._read(position)
            if image is not None:
                self._ahead = position, image
                return image.shape[0], image.shape[1]
        raise SourceError(
            f"{self.name} holds no picture that can be read: {next(iter(self._damaged.values()))}"
        )

    def _read(self, position: int) -> Image | None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == position:
            return ahead[1]
        path = self._paths[position]
        if path in self._damaged:
            return None
        try:
            return read_picture(path, self._turned)
        except SourceError as error:
            self._damaged[path] = str(error)
            return None


def find_pictures(uri: str) -> list[Path]:
    """Return the pictures that a file's name, a folder (not its subfolders) or a pattern names.

    Raises:
        SourceError: there is none.
    """
    path = Path(uri)
    allowed = " ".join(SUFFIXES)
    if _is_folder(path):
        try:
            names = list(path.iterdir())
        except OSError as error:
            raise SourceError(f"can't read the folder {uri}: {error.strerror}") from None
        pictures = [name for name in names if name.suffix.lower() in SUFFIXES and name.is_file()]
        if not pictures:
            raise SourceError(
                f"the folder {uri} holds no picture ({allowed}); "
                "give a video by its own name, a subfolder by its own"
            )
    elif glob.has_magic(uri) and not _exists(path):
        found = [Path(name) for name in glob.glob(uri, recursive=True)]  # noqa: PTH207
        pictures = [name for name in found if name.suffix.lower() in SUFFIXES and name.is_file()]
        if not pictures:
            raise SourceError(f"the pattern {uri} names no picture ({allowed})")
    else:
        pictures = [path]
    return sorted(pictures, key=natural_order)


def natural_order(path: Path) -> list[tuple[int, int | str]]:
    """Return the key that sorts numbers within names by their values: 2 before 10."""
    parts = re.split(r"(\d+)", path.as_posix())
    # Plain text sorts behind numbers, so that both never meet in one comparison.
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
