"""Watermark: a keyed mark in the spectrogram, and its detector."""
