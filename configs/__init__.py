"""Configs: base.py holds every default; the others hold only what differs."""
