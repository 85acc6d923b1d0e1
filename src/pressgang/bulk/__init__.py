"""Many texts in, files of documents out; imports `formats`, `label_studio`, `model`."""
