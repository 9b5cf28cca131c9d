"""Conformance: a table of checks that speaks to any Handle or IDIS node from outside."""
