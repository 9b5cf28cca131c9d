"""The messages of the Handle protocol (RFC 3652, DO-IRP), versions 2.1 to 2.11."""
