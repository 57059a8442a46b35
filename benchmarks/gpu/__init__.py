"""Parts of the check of a graphics card, ``python -m benchmarks.gpu_check``."""
