"""How commands ask: the node of a settings file, a server over HTTP, any server over the Handle protocol."""
