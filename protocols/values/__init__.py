"""Handle values and the data of the predefined types, to and from bytes (RFC 3651 §3)."""
