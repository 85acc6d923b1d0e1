"""A trained model: its network, its folder, and what predicts with it; imports `text`."""
