"""The version that is installed. Its one source is the git tag, which the build writes into the package's metadata."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("pocketlens")
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "0.0.0+unknown"

BASE_VERSION = VERSION.partition("+")[0].partition(".dev")[0]
"""Without the parts that change from commit to commit (``.dev7+g1a2b3c4``): a bundle's manifest states this one, so
that the same inputs give the same bytes."""
