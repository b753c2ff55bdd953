"""Predicted times on phones that are not at hand, from published measurements; never measured, and called so."""
