"""Structured pruning: whole channels leave a generator, with everything that depends on them."""
