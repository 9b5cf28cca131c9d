"""Proxy behaviour: where an identifier leads people."""
