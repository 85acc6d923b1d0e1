"""The loop with a running Label Studio: what `pressgang studio` does over the network."""
