"""Asking other nodes: questions of the resolver as messages on sockets, and what came of them."""
