"""What ``rtseg doctor`` looks at. One file = one thing that is looked at; see `probe.py`."""
