"""Voices of the world: what can be said, how it sounds, and how the lips move."""
