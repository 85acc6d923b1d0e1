"""Exporting and packaging; imports `text`, `label_studio`, `model`, `evaluation`, `learning`."""
