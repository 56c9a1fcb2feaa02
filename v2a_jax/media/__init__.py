"""Media: decoding by presentation time, muxing without re-encoding the picture."""
