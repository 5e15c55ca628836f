"""Benchmarks: ``python -m benchmarks`` prints a line a figure and writes results.json."""
