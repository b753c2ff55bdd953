"""Licence and attribution of a filter that ships, where a recipe with ``builtin:NAME`` says nothing of them."""

from pocketlens.models import zoo
from pocketlens.recipe import Recipe

UNKNOWN = "unknown"
"""What a licence is that nobody has said."""


def with_builtin_origin(recipe: Recipe) -> Recipe:
    """The recipe; with the licence and attribution that the filter ships with, if it is of one and names neither.

    Raises:
        InputError: No filter of this name ships.

    Example:
        >>> mine = Recipe(filter={"name": "mine", "source": "builtin:cartoon"}, targets={"onnx": ["fp32"]})
        >>> with_builtin_origin(mine).filter.license
        'Apache-2.0'
    """
    about = recipe.filter
    if not about.source.startswith("builtin:") or about.license != UNKNOWN or about.attribution:
        return recipe
    shipped = Recipe.read(zoo.builtin(about.source.removeprefix("builtin:")).recipe).filter
    origin = {"license": shipped.license, "attribution": shipped.attribution}
    return recipe.model_copy(update={"filter": about.model_copy(update=origin)})
