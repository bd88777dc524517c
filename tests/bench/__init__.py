"""Benchmarks: ratios within one run, in CPU time or counts. `make bench` runs them all."""
