"""What clients of a node feel while those it depends on are in trouble: ``python -m bench.outages``."""
