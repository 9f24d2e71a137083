#!/usr/bin/env python3
"""The main job: a camera or a video in, a labelled video out. The same as `rtseg stream`.

python run_stream.py demo -o demo.mp4
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rtseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["stream", *sys.argv[1:]]))
