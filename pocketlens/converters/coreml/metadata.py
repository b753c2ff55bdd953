"""What a Core ML model says of itself: author, licence, version, and descriptions that Xcode shows."""

from typing import Any

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.extras import meaning

_KEPT = ("com.github.apple.coremltools.version",)
"""What coremltools says of itself and is kept; its conversion date is not."""


def describe(spec: Any, labels: Labels, precision: str) -> None:
    """Write author, licence, version and descriptions into a Core ML specification, in place."""
    description = spec.description
    metadata = description.metadata
    metadata.shortDescription = labels.description or f"{labels.name}: stylizes a picture"
    metadata.versionString = labels.version
    metadata.author = labels.author
    metadata.license = labels.license
    kept = {key: metadata.userDefined[key] for key in _KEPT if key in metadata.userDefined}
    metadata.userDefined.clear()
    for key, value in {**kept, "pocketlens.filter": labels.name, "pocketlens.precision": precision}.items():
        metadata.userDefined[key] = value
    image, stylized = description.input[0], description.output[0]
    for feature in (*description.input[1:], *description.output[1:]):
        feature.shortDescription = meaning(feature.name).capitalize()
    size = f"{image.type.imageType.width} x {image.type.imageType.height} pixels, RGB"
    image.shortDescription = f"The picture to stylize, {size}"
    stylized.shortDescription = f"The stylized picture, {size}"
    assert (image.name, stylized.name) == (hub.INPUT, hub.OUTPUT)
