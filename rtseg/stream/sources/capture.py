"""What every kind of source owes, bare: grab the next picture, retrieve the one that was grabbed.

The two are apart so that pictures that are left out (stride, a start in the middle) are neither
drawn nor converted. `Selection` makes the `Source` that people read out of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from rtseg.classes import ClassSet
from rtseg.frames import Image, Labels
from rtseg.registry import Registry
from rtseg.stream.audio import AudioPacket, AudioTrack
from rtseg.stream.packets import PacketTrack, VideoPacket
from rtseg.stream.reception import Reception
from rtseg.stream.sources.settings import SourceConfig

TIME_TOLERANCE_S = 1e-6
"""Times that are nearer than this are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture as it was captured.

    Args:
        image_bgr: uint8 [H, W, 3].
        captured_ns: `time.monotonic_ns()` at the moment it reached this process.
        truth: uint8 [H, W], the class of every pixel, where it is known.
    """

    image_bgr: Image
    captured_ns: int
    truth: Labels | None = None


class Capture(ABC):
    """One kind of source. Built with a `SourceConfig`, it is open and knows its first picture.

    Passive and used by one thread at a time, as `Source`. Of the config it heeds what concerns
    the device or file; `Selection` and `Oriented` do the rest for all kinds.
    """

    live: bool = False
    """It doesn't wait for its reader."""
    turns_itself: bool = False
    """It heeds `rotate` and `flip` by itself, so that nobody has to turn its pictures."""

    name: str
    """How it is shown to people; never holds credentials."""
    hw: tuple[int, int]
    """Height and width of the picture grabbed last, or of the first one, pixels."""
    fps: float | None = None
    """Frames per second, roughly."""
    num_frames: int | None = None
    """How many there are, where that is known."""
    endless: bool = False
    """It is known to have no end of its own."""
    truth_classes: ClassSet | None = None
    """What the labels of `Shot.truth` mean, where its pictures carry one."""
    codec: str = ""
    """How its pictures are compressed on the way here, where that is known."""
    reception: Reception | None = None
    """Whether its pictures come; None: they can't be lost."""
    audio: AudioTrack | None = None
    """Its sound; `take_audio` gives the packets."""
    packets: PacketTrack | None = None
    """Its compressed pictures, where they can be kept as they are; `take_packets` gives them."""

    @abstractmethod
    def __init__(self, config: SourceConfig) -> None:
        """Open it.

        Raises:
            SourceError: it can't be opened, or holds no picture.
        """

    @classmethod
    @abstractmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` names a source of this kind."""

    @abstractmethod
    def grab(self) -> float | None:
        """Go on to the next picture.

        Returns:
            Its time in seconds from the source's first picture, or None at the end.

        Raises:
            SourceError: the source failed.
        """

    @abstractmethod
    def retrieve(self) -> Shot | None:
        """Return the picture that was grabbed last; None where it turns out to be damaged."""

    def rewind(self, start_s: float) -> None:  # noqa: B027
        """Make the next `grab` give the first picture at or after `start_s`; if not live."""

    def take_audio(self) -> list[AudioPacket]:
        """Return the packets of sound met since the last call, in the times of `grab`."""
        return []

    def take_packets(self, *, wanted: bool) -> list[VideoPacket]:
        """Return the compressed pictures met since the last call, in the times of `grab`.

        Args:
            wanted: somebody listens; none are returned, nor kept until the next call, otherwise.
        """
        return []

    def read_audio_until(self, end_s: float) -> None:  # noqa: B027
        """Read on, without pictures, until the sound before `end_s` was met."""

    @classmethod
    def may_be_live(cls, uri: str) -> bool:
        """Return whether what `uri` names may turn out to be live."""
        return cls.live

    @classmethod
    def open_live(cls, config: SourceConfig, read_timeout_s: float) -> Capture:
        """Open it where somebody watches over it.

        Args:
            config: as for the construction.
            read_timeout_s: how long a read may be silent until it fails by itself, where a read
                can be told.

        Raises:
            SourceError: as the construction.
        """
        return cls(config)

    def take_replaced(self) -> int:
        """Return how many pictures were left out for newer ones, since the last call."""
        return 0

    def interrupt(self) -> None:  # noqa: B027
        """Have a `grab` that waits end soon, where it can be told; from any thread."""

    def close(self) -> None:  # noqa: B027
        """Release the device or file; may be called twice."""

    def problems(self) -> list[str]:
        """Return a line for each thing that people should know of at the end."""
        return []


SOURCES: Registry[type[Capture]] = Registry("kind of source")
"""Every kind by name, in the order in which they are asked; `rtseg.stream.sources` fills it."""
