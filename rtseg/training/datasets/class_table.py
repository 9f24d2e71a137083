"""What the numbers or colours in the masks of a data set mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from rtseg.classes import VOID, ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets.dataset import UInt8
from rtseg.training.datasets.image_file import read_colours, read_ids

MaskValues = Literal["ids", "train_ids", "colours"]

_UNLISTED = -1


def _values(listed: Any) -> Any:
    return list(listed.values()) if isinstance(listed, Mapping) else listed


Byte = Annotated[int, Field(ge=0, le=255)]
Rgb = tuple[Byte, Byte, Byte]
Id = Annotated[int, Field(ge=-1, le=65535)]
IdList = Annotated[list[Id], BeforeValidator(_values)]
RgbList = Annotated[list[Rgb], BeforeValidator(_values)]
"""Lists that may also be written as a mapping, which names each value for the reader."""


class ClassEntry(Config):
    """One class, and the values that stand for it in masks."""

    name: str = Field(min_length=1, description="The class's name.")
    colour: Rgb = Field(description="The colour it is shown in: [red, green, blue], 0–255 each.")
    ids: IdList = Field(
        default=[],
        description="The numbers that stand for it; -1 is the highest that a pixel can hold. "
        "[3, 4] or {road: 3, lane: 4}.",
    )
    colours: RgbList = Field(
        default=[], description="The colours that stand for it, if they aren't just `colour`."
    )


class VoidEntry(Config):
    """The values of pixels that have no class; they are never counted."""

    ids: IdList = Field(default=[], description="Numbers, as those of a class.")
    colours: RgbList = Field(default=[], description="Colours, as those of a class.")


class ClassTable:
    """Turns masks into labels.

    Args:
        name: the name of the class set.
        entries: the classes; a class's label is its position.
        void: the values that mean void.
        unlisted: what a value means that nobody lists: ``"error"`` or ``"void"``.
    """

    def __init__(
        self,
        name: str,
        entries: Sequence[ClassEntry],
        void: VoidEntry,
        unlisted: Literal["error", "void"] = "error",
    ) -> None:
        self.classes = ClassSet(
            name, tuple(entry.name for entry in entries), tuple(entry.colour for entry in entries)
        )
        self._entries = list(entries)
        self._void = void
        self._unlisted = VOID if unlisted == "void" else _UNLISTED
        self._tables: dict[tuple[MaskValues, int], npt.NDArray[np.int16]] = {}

    def meaning(self, values: MaskValues) -> dict[int, int]:
        """Return value → label; a colour's value is red * 65536 + green * 256 + blue.

        Raises:
            ConfigError: a class lists no value or a value stands for two classes.
        """
        meaning: dict[int, int] = {}
        rows: list[tuple[int, ClassEntry | VoidEntry]] = [*enumerate(self._entries)]
        for label, entry in [*rows, (VOID, self._void)]:
            listed = _listed(entry, label, values)
            if label != VOID and not listed:
                raise ConfigError(
                    f"the class {self._name(label)!r} lists no {values}, but masks hold {values}"
                )
            for value in listed:
                if meaning.setdefault(value, label) != label:
                    raise ConfigError(
                        f"{_shown(value, values)} stands for {self._name(meaning[value])!r} and "
                        f"for {self._name(label)!r}; one value has one class"
                    )
        return meaning

    def read(self, path: Path, values: MaskValues) -> UInt8:
        """Read a mask file as labels: uint8 [H, W], 255 = void.

        Raises:
            DataError: the file can't be read or holds a value that the table doesn't list.
        """
        codes: npt.NDArray[Any]
        if values == "colours":
            codes, bits = _codes(read_colours(path)), 24
        else:
            codes = read_ids(path)
            bits = 8 * codes.dtype.itemsize
        labels = self._table(values, bits)[codes]
        if labels.min(initial=0) == _UNLISTED:
            self._refuse(path, values, codes, labels == _UNLISTED)
        return labels.astype(np.uint8)

    def _name(self, label: int) -> str:
        return "void" if label == VOID else self._entries[label].name

    def _table(self, values: MaskValues, bits: int) -> npt.NDArray[np.int16]:
        """Return int16 [2 ** bits]: value → label, 255 = void, -1 = unlisted."""
        known = self._tables.get((values, bits))
        if known is None:
            known = np.full(2**bits, self._unlisted, np.int16)
            for value, label in self.meaning(values).items():
                if value < 2**bits:
                    known[value] = label  # -1 is the last: what an 8- or 16-bit pixel makes of it
            self._tables[values, bits] = known
        return known

    def _refuse(
        self, path: Path, values: MaskValues, codes: npt.NDArray[Any], wrong: npt.NDArray[np.bool_]
    ) -> None:
        found, counts = np.unique(codes[wrong], return_counts=True)
        value = int(found[counts.argmax()])
        row, column = np.argwhere(codes == value)[0]
        others = f" and {len(found) - 1} other unlisted values" if len(found) > 1 else ""
        raise DataError(
            f"mask {path} holds {_shown(value, values)} in {counts.max()} pixels, first at row "
            f"{row}, column {column}{others}; allowed are {self._allowed(values)}. List it "
            "under a class or under 'void' in the data set's YAML file"
        )

    def _allowed(self, values: MaskValues) -> str:
        known = sorted(self.meaning(values))
        if values != "colours":
            return f"{_ranges(known)}"
        shown = ", ".join(_shown(value, values).removeprefix("the colour ") for value in known[:8])
        return shown + (f" and {len(known) - 8} more" if len(known) > 8 else "")


def _listed(entry: ClassEntry | VoidEntry, label: int, values: MaskValues) -> list[int]:
    if values == "train_ids":
        return [label]
    if values == "ids":
        return entry.ids
    own = [entry.colour] if isinstance(entry, ClassEntry) else []
    return [red << 16 | green << 8 | blue for red, green, blue in entry.colours or own]


def _codes(image_bgr: UInt8) -> npt.NDArray[np.int32]:
    blue, green, red = (image_bgr[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def _shown(value: int, values: MaskValues) -> str:
    if values == "colours":
        return f"the colour ({value >> 16}, {value >> 8 & 255}, {value & 255})"
    return f"the id {value}"


def _ranges(numbers: Iterable[int]) -> str:
    """Return sorted numbers briefly: ``0–11, 255``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)
