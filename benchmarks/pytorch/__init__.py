"""The AudioDiT in PyTorch, and both frameworks' training step and sampler at the same shapes."""
