"""Several cameras on one engine."""
