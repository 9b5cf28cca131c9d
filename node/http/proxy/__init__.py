"""What a Handle proxy does beyond the first URL: several locations, aliases, content negotiation, namespaces."""
