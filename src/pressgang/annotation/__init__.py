"""How good annotations are, and which come next; imports `text`, `model`, `evaluation`."""
