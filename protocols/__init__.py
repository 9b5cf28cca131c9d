"""The shared language and the bytes: vocabulary, cursor and wire formats. No IO, clock, chance or logging."""
