"""Keys and trust on disk: key files of people and nodes, the roots that are trusted, who administers what."""
