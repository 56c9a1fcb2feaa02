"""Evaluation: metrics between their lower and upper bounds, and the report."""
