"""The lane: the optional compiled part of the hot path. Nothing depends on it."""
