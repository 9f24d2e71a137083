"""What every source of pictures owes: what it is, one frame after the other, and an end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from rtseg.classes import ClassSet
from rtseg.closing import Closing
from rtseg.frames import Frame
from rtseg.stream.audio import AudioTrack
from rtseg.stream.packets import PacketTrack
from rtseg.stream.reception import Reception


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source when it is opened.

    Args:
        name: how it is shown to people; never holds credentials.
        hw: height and width in pixels of the first frame; later ones may differ.
        fps: frames per second, roughly; None where it isn't known. Times come from the frames.
        live: it doesn't wait for its reader: old frames are worth dropping.
        num_frames: how many frames there will be, where the source says so; only for progress.
        audio: its sound, where there is any that can be recorded.
        truth_classes: what the labels of `Frame.truth` mean, where its frames carry one.
        packets: its compressed pictures, where there are any that can be kept as they are.
    """

    name: str
    hw: tuple[int, int]
    fps: float | None
    live: bool
    num_frames: int | None = None
    audio: AudioTrack | None = None
    truth_classes: ClassSet | None = None
    packets: PacketTrack | None = None


class Source(Closing):
    """A camera, a video, pictures, the demo drive.

    Passive: it reads in whichever thread calls, and only that thread closes it. Iterating it
    yields the frames to the end.
    """

    info: SourceInfo
    reception: Reception | None = None
    """Whether its pictures come; None: they can't be lost (a file)."""

    @abstractmethod
    def read(self) -> Frame | None:
        """Return the next frame, None at the end.

        Frames count from 0 without gaps, `pts_s` never goes back and starts at 0.

        Raises:
            SourceError: the source failed; a damaged picture is skipped and counted instead.
        """

    def take_replaced(self) -> int:
        """Return how many frames came and were left out for newer ones, since the last call."""
        return 0

    def interrupt(self) -> None:
        """Have a `read` that waits, and every later one, return None soon; from any thread.

        What can't be woken ends by its own time-out.
        """

    def close(self) -> None:
        """Release the device or file; a source can be closed twice."""

    def problems(self) -> list[str]:
        """Return a line for each thing that people should know of at the end (damaged pictures)."""
        return []

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self.read()) is not None:
            yield frame
