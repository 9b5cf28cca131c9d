"""HTTP: the Handle JSON API, redirects, pages and bulk registration over one port (see README.md)."""
