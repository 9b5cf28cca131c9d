"""How cost grows with the number of identifiers: disk, memory, start and answers, from ten thousand to ten million."""
