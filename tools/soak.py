#!/usr/bin/env python3
"""The same as `rtseg soak`, for a checkout that is not installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["soak", *sys.argv[1:]]))
