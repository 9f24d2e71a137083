"""One hand on several streams."""

from __future__ import annotations

from rtseg.stream.controls import Controls
from rtseg.stream.overlay.style import OverlayStyle


class JointControls(Controls):
    """Does to each of several streams what is done to it; stops with none of them.

    Args:
        style: how the overlays are drawn at first.
    """

    def __init__(self, style: OverlayStyle | None = None) -> None:
        super().__init__(style)
        self._members: list[Controls] = []

    def add(self, member: Controls) -> None:
        """Take one more stream's controls in hand; a joint stop before now counts for it too."""
        self._members.append(member)
        self.on_stop(member.stop)

    @property
    def style(self) -> OverlayStyle:
        """How the overlays are drawn from the next frame on, in every stream."""
        return self._style

    @style.setter
    def style(self, style: OverlayStyle) -> None:
        self._style = style
        for member in self._members:
            member.style = style

    def pause(self, on: bool = True) -> None:
        """Let every stream wait, or go on."""
        super().pause(on)
        for member in self._members:
            member.pause(on)

    def record(self, on: bool = True) -> None:
        """Let every stream's recordings take pictures, or leave them out."""
        super().record(on)
        for member in self._members:
            member.record(on)

    def step(self) -> None:
        """Let one frame of each stream through while paused."""
        super().step()
        for member in self._members:
            member.step()
