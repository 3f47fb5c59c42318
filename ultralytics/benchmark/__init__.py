"""Benchmarks: one model in many formats, each exported, run and validated in processes of its own."""

from ultralytics.benchmark.run import benchmark
from ultralytics.benchmark.table import BenchmarkRow, BenchmarkTable

__all__ = ["BenchmarkRow", "BenchmarkTable", "benchmark"]
