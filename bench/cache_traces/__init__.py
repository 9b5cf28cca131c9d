"""Which entry should make way? Ways of deciding it, beside each other on made-up traces."""
