"""What the keys of a window do to the running stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from rtseg.stream.controls import Controls
from rtseg.stream.overlay.style import OverlayMode

HELP = (
    "q, Esc\tquit",
    "space\tpause, go on",
    "n, .\tone picture on",
    "m\toverlay, mask, side by side, picture",
    "+, -\tstronger, weaker colours",
    "o\toutlines",
    "i\tlines around single objects",
    "l\tlegend",
    "h\trate and frame age",
    "s\tsave this picture",
    "f\tfull screen",
    "?\tthese keys",
)
"""Keys and what they do, for `with_note`."""

_ALPHA_STEP = 0.1
_ESCAPE = 27

StreamAction = Callable[[Controls], str]


def stream_action(key: int) -> StreamAction | None:
    """Return what a key does to the stream, or None for keys that it doesn't know.

    Args:
        key: as `cv2.waitKey` returns it.

    Returns:
        A function that acts on the controls and returns what to tell the viewer.
    """
    return _ACTIONS.get(chr(key & 0xFF).lower()) if key >= 0 else None


def _quit(controls: Controls) -> str:
    controls.stop()
    return "stopping"


def _pause(controls: Controls) -> str:
    controls.pause(not controls.paused)
    return "paused: space goes on, n steps" if controls.paused else ""


def _step(controls: Controls) -> str:
    if not controls.paused:
        controls.pause()
    controls.step()
    return ""


def _set(controls: Controls, **changes: Any) -> None:
    controls.style = controls.style.model_copy(update=changes)


def _next_mode(controls: Controls) -> str:
    modes: tuple[OverlayMode, ...] = get_args(OverlayMode)
    mode = modes[(modes.index(controls.style.mode) + 1) % len(modes)]
    _set(controls, mode=mode)
    return mode


def _strengthen(by: float) -> StreamAction:
    def act(controls: Controls) -> str:
        alpha = round(min(max(controls.style.alpha + by, 0.0), 1.0), 2)
        _set(controls, alpha=alpha)
        return f"alpha {alpha:g}"

    return act


def _toggle(field: str) -> StreamAction:
    def act(controls: Controls) -> str:
        on = not getattr(controls.style, field)
        _set(controls, **{field: on})
        return f"{field} {'on' if on else 'off'}"

    return act


_ACTIONS: dict[str, StreamAction] = {
    "q": _quit,
    chr(_ESCAPE): _quit,
    " ": _pause,
    "n": _step,
    ".": _step,
    "m": _next_mode,
    "+": _strengthen(_ALPHA_STEP),
    "=": _strengthen(_ALPHA_STEP),
    "-": _strengthen(-_ALPHA_STEP),
    "_": _strengthen(-_ALPHA_STEP),
    "o": _toggle("outlines"),
    "i": _toggle("instances"),
    "l": _toggle("legend"),
    "h": _toggle("hud"),
}
