"""Whole stores as files: export and import, backup and restore, verification, replay of the feed."""
