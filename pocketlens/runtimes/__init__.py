"""Sessions, and one adapter for each runtime: they load artifacts and stylize pictures."""
