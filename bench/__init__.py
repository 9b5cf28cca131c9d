"""Measurements: ratios against named peers in the same run, never a bare absolute figure."""
