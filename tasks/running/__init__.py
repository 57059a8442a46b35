"""Task bodies inside a pool process: chunks, single texts, micro-batches, cancellation."""
