"""The page that plays a filter in a browser: a static folder, its runtime, and the real browser that checks it."""
