"""Measuring: the stream that users run, its parts, a naive loop beside it, and the bound."""
