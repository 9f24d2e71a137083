"""ROOM 4: training. Read `run.py` first: the loop; `settings.py` is what a configuration holds."""
