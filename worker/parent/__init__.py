"""Parent process of a worker: supervisor, heartbeat, requeueing, webhooks, metrics."""
