"""Training: one loop for three stages."""
