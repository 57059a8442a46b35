"""Benchmarks of speed and size: ``python -m benchmarks`` measures and writes ``docs/performance.md``."""
