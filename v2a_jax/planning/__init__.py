"""What a run costs, before it runs: its step compiled for a TPU slice that need not be here."""
