"""The procedural world: clips whose sounds have causes one can see."""
