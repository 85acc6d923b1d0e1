"""The only rooms that know Label Studio's formats; imports `text`."""
