"""Composition: the only place that touches sockets, clocks, files and processes."""
