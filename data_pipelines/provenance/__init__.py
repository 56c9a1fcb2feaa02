"""Where data come from, who may use them for what, and what a run may therefore read."""
