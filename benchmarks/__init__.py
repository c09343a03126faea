"""Figures against goals and against the machine's limits; every command prints one JSON object with `--json`."""
