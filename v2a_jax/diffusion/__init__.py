"""Diffusion: one path from noise to data, guidance, and ODE solvers."""
