"""How good predicted documents are, in figures and reports; imports `text`."""
