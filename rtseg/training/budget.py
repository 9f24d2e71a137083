"""How much a training may cost: steps, minutes, or minutes of the processor.

Minutes are fair to networks of every size: a heavy one takes fewer steps. Processor minutes are
fair on a machine that other programs use too, as they count what this process alone computes, with
all its threads; on a GPU they count only the work that feeds it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Literal

from rtseg.errors import ConfigError

Unit = Literal["it", "min", "cpumin"]
UNITS: dict[Unit, str] = {"it": "steps", "min": "minutes", "cpumin": "CPU minutes"}
"""Every unit and what it is called."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of one unit.

    Args:
        amount: more than 0; whole for steps.
        unit: ``"it"``: steps; ``"min"``: wall clock; ``"cpumin"``: of the process's own computing.
    """

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"200it"``, ``"5min"`` or ``"2.5cpumin"``.

        Raises:
            ConfigError: it is none of those.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(it|min|cpumin)", text.strip())
        amount = float(match[1]) if match else 0.0
        if not match or amount <= 0 or (match[2] == "it" and amount != int(amount)):
            raise ConfigError(
                f"the budget is {text!r}; give steps, minutes or CPU minutes above 0, such as "
                "200it, 5min or 2.5cpumin"
            )
        return cls(amount, match[2])  # type: ignore[arg-type]  # the pattern's words are the units

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"

    @property
    def title(self) -> str:
        """What people call it: ``"200 steps"``."""
        return f"{self.amount:g} {UNITS[self.unit]}"


@dataclass(slots=True)
class BudgetClock:
    """What has been spent of a budget; runs from its construction.

    Args:
        budget: the whole.
    """

    budget: Budget
    steps: int = 0
    _wall_s: float = field(default_factory=time.monotonic)
    _cpu_s: float = field(default_factory=time.process_time)

    @property
    def wall_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._wall_s

    @property
    def cpu_s(self) -> float:
        """Seconds that all threads of this process have computed since the start."""
        return time.process_time() - self._cpu_s

    @property
    def share(self) -> float:
        """What is spent, 0 to 1; 1 means that nothing is left."""
        spent = {"it": float(self.steps), "min": self.wall_s / 60, "cpumin": self.cpu_s / 60}
        return min(spent[self.budget.unit] / self.budget.amount, 1.0)
