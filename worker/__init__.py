"""Worker processes: a parent that holds leases and a child that holds one engine."""
