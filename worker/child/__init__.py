"""Pool process of a worker: the engine's life, the GPU claim, memory and metrics."""
