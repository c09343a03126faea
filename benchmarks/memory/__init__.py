"""What the memory does and costs, against goals: `python -m benchmarks.memory --json`."""
