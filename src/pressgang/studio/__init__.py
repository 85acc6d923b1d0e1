"""What `pressgang studio` does with a running Label Studio; imports any folder."""
