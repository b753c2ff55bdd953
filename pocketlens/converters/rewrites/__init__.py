"""Exact graph-to-graph passes: the same pixels. One pass a file.

:func:`~pocketlens.converters.rewrites.canonicalize.canonicalize` runs those that every target wants;
:mod:`~pocketlens.converters.rewrites.registry` names those that a target may choose.
"""
