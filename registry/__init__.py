"""Command -> change -> record. Plain calls, told the time; never imports the resolver."""
