"""Data: records, loader, and the procedural world."""
