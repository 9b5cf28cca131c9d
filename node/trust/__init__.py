"""Trusted resolution as the node and its commands use it: keys, certificates, signing."""
