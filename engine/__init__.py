"""Speech engine: text in, samples and timings out. Knows nothing of Celery, Redis, queues or environment variables."""

from koebin.engine.onnxruntime_telemetry import keep_private

keep_private()
