"""The model inside spaCy and transformers; imports `text`, `formats`, `model`."""
