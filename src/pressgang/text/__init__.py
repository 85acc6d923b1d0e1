"""Text as a model reads it, and back: words, tokens, windows, tags, pairs; imports no folder."""
