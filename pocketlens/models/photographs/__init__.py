"""Photographs that may be used freely: those that every wheel holds, those that train, and the pieces cut from them."""
