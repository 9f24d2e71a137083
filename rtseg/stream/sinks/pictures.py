"""Pictures as files, one for each frame, numbered by the frame's index."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from rtseg.config import Config
from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks.destination import make_folder
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.picture_file import PICTURE_SUFFIXES, write_picture
from rtseg.stream.sinks.sink import StreamInfo

_FIELD = re.compile(r"%(?:0?\d{1,2})?d")
_PERCENT = re.compile(r"%%|%(?:0?\d{1,2})?d|%")


class PicturesConfig(Config):
    """How pictures are written as files."""

    quality: int = Field(
        default=92, ge=1, le=100, description="Of JPEG and WebP files; 100 is the best."
    )
    png_compression: int = Field(
        default=1, ge=0, le=9, description="Of PNG files, lossless: 0 fast, 9 small."
    )


@register("pictures")
class PictureFiles(OutputSink):
    """Writes each picture whole: a file with a picture's name is never half of one.

    Args:
        output: a pattern with one ``%d`` in the file's name, as printf takes it.
    """

    outputs: ClassVar[str] = "FOLDER/%06d.png, .jpg or .webp"
    example: ClassVar[str] = "pictures/%06d.png"
    config_class: ClassVar[type[Config]] = PicturesConfig

    def __init__(
        self, output: str, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        self._pattern = Path(output)
        self._config = config if isinstance(config, PicturesConfig) else PicturesConfig()
        self._overwrite = overwrite

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is named like pictures; `open` looks at the pattern."""
        return Path(output).suffix.lower() in PICTURE_SUFFIXES

    def open(self, info: StreamInfo) -> None:
        """Check the pattern and the folder.

        Raises:
            SinkError: the pattern has not exactly one number, the folder can't be written to, or
                holds pictures of this pattern.
        """
        _check_pattern(self._pattern)
        make_folder(self._pattern.parent)
        if not self._overwrite:
            refuse_existing(self._pattern)

    def write(self, picture: Picture) -> None:
        """Write a picture.

        Raises:
            SinkError: it can't be written.
        """
        path = self._pattern.with_name(self._pattern.name % picture.frame.index)
        config = self._config
        write_picture(path, picture.image_bgr, config.quality, config.png_compression)


def refuse_existing(pattern: Path) -> None:
    """Look for files that pictures of this pattern would replace.

    Raises:
        SinkError: there are some.
    """
    names = _FIELD.sub("\0", pattern.name, count=1).replace("%%", "%")
    matching = re.compile(re.escape(names).replace(re.escape("\0"), r" *-?\d+"))
    found = [path for path in sorted(pattern.parent.iterdir()) if matching.fullmatch(path.name)]
    if found:
        raise SinkError(
            f"{pattern.parent} holds {len(found)} such pictures ({found[0].name}, …); choose "
            "another folder, or pass --overwrite to replace them"
        )


def _check_pattern(pattern: Path) -> None:
    signs = [sign for sign in _PERCENT.findall(pattern.name) if sign != "%%"]
    if len(signs) != 1 or not _FIELD.fullmatch(signs[0]) or "%" in str(pattern.parent):
        raise SinkError(
            f"{pattern}: pictures need one place for their number in the file's name, such as "
            f"{pattern.with_name('%06d' + pattern.suffix)}"
        )
