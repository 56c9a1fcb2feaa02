"""V2A-JAX: a synchronized, watermarked soundtrack for a silent video."""
