"""What a look at one thing of this machine has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warn", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's page.

    Args:
        title: the thing, such as ``"OpenCV"``.
        status: ``"ok"``; ``"warn"``: it is there, but not as it should be; ``"missing"``: it isn't
            there, or doesn't work.
        value: what was found, for people.
        advice: what to do, best as a command; empty where there is nothing to do.
        essential: nothing works while this is missing.
    """

    title: str
    status: Status
    value: str
    advice: str = ""
    essential: bool = False

    @property
    def broken(self) -> bool:
        """Whether nothing works because of this."""
        return self.essential and self.status == "missing"

    def as_json(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return asdict(self)
