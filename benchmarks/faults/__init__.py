"""Faults on purpose: damaged files, tables and settings, and kills. `python -m benchmarks.faults` says what came of them."""
