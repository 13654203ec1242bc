"""The bank in a browser, as JSON over HTTP, and for Prometheus. Read only."""
