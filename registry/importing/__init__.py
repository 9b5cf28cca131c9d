"""Bulk input: source text -> rows -> suffix and values, with every refused row named. Pure; files live in node."""
