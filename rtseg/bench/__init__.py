"""Measuring the very pipeline that users run, and its parts."""
