"""Training and its runs; imports `text`, `label_studio`, `model`, `evaluation`, `annotation`."""
