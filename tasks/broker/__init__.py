"""State in Redis beside the queues: leases, delayed messages, preemption, the fleet."""
