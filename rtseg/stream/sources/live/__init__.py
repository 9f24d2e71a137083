"""Live sources that come back: one opening after the other, watched."""
