"""Whether a recording takes pictures at the moment, told when it changes."""

from __future__ import annotations

from rtseg.stream.controls import Controls
from rtseg.stream.events import Events


class RecordingSwitch:
    """Follows `Controls.record` for one recording.

    Args:
        name: the recording's, for the events.
        controls: where recordings are switched.
        events: get ``recording`` with the state ``off`` or ``on``.
    """

    def __init__(self, name: str, controls: Controls, events: Events) -> None:
        self._name = name
        self._controls = controls
        self._events = events
        self.is_on = True

    def look(self) -> bool:
        """Return whether pictures are to be recorded now."""
        if (on := self._controls.recording) != self.is_on:
            self.is_on = on
            state = "on" if on else "off"
            text = f"recording {state}: {self._name}"
            self._events.add("recording", text, state=state, name=self._name)
        return self.is_on
