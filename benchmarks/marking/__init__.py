"""What `benchmarks/watermark.py` measures the watermark with: sounds, attacks, ears, reports."""
