"""The search for recipes: students, files and ways to play them are tried, and a Pareto front comes out.

Other searches are part of a build and stand in :mod:`pocketlens.pipeline.search`.
"""
