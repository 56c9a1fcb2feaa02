"""Sampling: bundles, the jitted sampler, long videos."""
