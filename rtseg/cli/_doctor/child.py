"""The process of some probes: ``python -m rtseg.cli._doctor.child NAME …`` prints JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from rtseg.cli._doctor.probe import RECORD


def answer(name: str) -> str | list[dict[str, Any]]:
    """Return the findings of the probe called `name`, or why there are none."""
    try:
        module = importlib.import_module(f"rtseg.cli._doctor.{name}")
        return [finding.as_json() for finding in module.probe()]
    except Exception as error:
        if os.environ.get("RTSEG_TRACEBACK"):
            raise
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


if __name__ == "__main__":
    for probe in sys.argv[1:]:
        # Said at once: what a later probe does to this process takes nothing back.
        sys.stdout.write(f"\n{RECORD}{json.dumps([probe, answer(probe)])}\n")
        sys.stdout.flush()
    # Some drivers hang or crash when their process ends in order, and all is said.
    os._exit(0)
