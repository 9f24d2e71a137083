"""Recordings in segments: cut, named, kept within limits, and found again after a power cut."""
