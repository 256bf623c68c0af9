"""Many trainings side by side: categories x models x seeds, one table, published numbers beside."""

from kerasad.benchmark.driver import Benchmark, run_benchmark

__all__ = ["Benchmark", "run_benchmark"]
