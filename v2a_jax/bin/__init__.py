"""Commands: one thin absl app each."""
