"""Licence and attribution of a filter that ships, where a recipe with ``builtin:NAME`` says nothing of them."""

from pocketlens.models import zoo
from pocketlens.recipe import Recipe
from pocketlens.recipe.filter import UNSAID, Filter


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
    if not about.source.startswith("builtin:") or about.license != UNSAID or about.attribution:
        return recipe
    return with_origin_of(Recipe.read(zoo.builtin(about.source.removeprefix("builtin:")).recipe).filter, recipe)


def with_origin_of(weights: Filter, recipe: Recipe) -> Recipe:
    """The recipe with licence and attribution of the filter whose weights are in its own."""
    origin = {"license": weights.license, "attribution": weights.attribution}
    return recipe.model_copy(update={"filter": recipe.filter.model_copy(update=origin)})
