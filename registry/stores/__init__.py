"""Store engines: one interface, one file per engine."""
