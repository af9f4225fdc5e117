"""Benchmarks: each prints ratios against a peer measured in the same run; its last line is one JSON object."""
