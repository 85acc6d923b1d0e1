"""Documents as files, as pages and on a terminal, one module a form; imports `text`."""
