"""Bounds of the safety devices."""

LEAST_SECONDS, MOST_SECONDS = 5, 24 * 3600
