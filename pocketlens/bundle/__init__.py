"""The bundle: everything that an app developer gets. ``read``, ``load`` and ``verify`` need numpy, Pillow and one
runtime.
"""
