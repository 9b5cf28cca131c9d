"""The servers we compare ourselves with; each prints the port it listens on and runs until it is stopped."""
