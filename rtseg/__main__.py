"""``python -m rtseg``: the same as the command ``rtseg``."""

import sys

from rtseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
