"""The machine-learning backend that Label Studio 1.23 asks for predictions and tells of work."""
