"""Documents as files, one module a format."""
