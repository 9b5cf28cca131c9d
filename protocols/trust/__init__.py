"""Trusted resolution: HS_CERT and HS_SIGNATURE values, and chains of them. Pure."""
