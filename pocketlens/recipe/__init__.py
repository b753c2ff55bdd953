"""The recipe: what to build and what must hold, as a TOML file that is validated to the last key."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from pocketlens.placement import ACCELERATORS
from pocketlens.recipe.compress import RENAMED_KEYS, Compress
from pocketlens.recipe.files import BundleOptions, Chips, Quantize, Rewrites, Rule, Targets
from pocketlens.recipe.filter import Filter, Pictures
from pocketlens.recipe.limits import Accelerators, Budget, Gate
from pocketlens.recipe.search import Search
from pocketlens.toml_file import TomlFile

__all__ = [
    "RENAMED_KEYS",
    "Accelerators",
    "Budget",
    "BundleOptions",
    "Chips",
    "Compress",
    "Filter",
    "Gate",
    "Pictures",
    "Quantize",
    "Recipe",
    "Rewrites",
    "Rule",
    "Search",
    "Targets",
]  # fmt: skip

_BROWSERS = ("web-wasm", "web-webgpu")
"""The accelerators that play a bundle's page."""


class Recipe(TomlFile):
    """A whole recipe.

    Example:
        >>> recipe = Recipe.parse("[filter]\\nname = 'wave'\\nsource = 'wave.npz'\\n[targets]\\ntflite = ['fp16']")
        >>> recipe.filter.sizes, recipe.targets.chosen()
        (((256, 256),), {'tflite': ('fp16',)})
    """

    renamed: ClassVar[Mapping[str, str]] = RENAMED_KEYS

    filter: Filter
    targets: Targets
    pictures: Pictures = Pictures()
    rewrites: Rewrites = Rewrites()
    quantize: Quantize = Quantize()
    chips: Chips = Chips()
    gate: Gate = Gate()
    budget: Budget = Budget()
    accelerators: Accelerators = Accelerators()
    compress: Compress | None = None
    search: Search = Search()
    bundle: BundleOptions = BundleOptions()

    @model_validator(mode="after")
    def _page_plays_something(self) -> Self:
        played = ACCELERATORS[_BROWSERS[0]].targets
        if self.bundle.web and not set(played) & set(self.targets.chosen()):
            raise ValueError(f"bundle.web needs a file that browsers play; for instance: {played[0]} = ['fp16', 'w8']")
        return self

    @property
    def asked_accelerators(self) -> Accelerators:
        """``[accelerators]``, in which the browser's are asked where the bundle gets a page for it.

        Example:
            >>> text = "[filter]\\nname = 'wave'\\n[targets]\\ntflite = ['fp16']\\n[bundle]\\nweb = true"
            >>> Recipe.parse(text).asked_accelerators.mode("web-wasm")
            'report'
        """
        own = self.accelerators.model_fields_set
        keys = [ACCELERATORS[name].key for name in _BROWSERS if self.bundle.web and ACCELERATORS[name].key not in own]
        asked: Accelerators = self.accelerators.model_copy(update=dict.fromkeys(keys, "report"))
        return asked

    def text(self) -> str:
        """The recipe as TOML; :meth:`parse` reads it back equal."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_unset=True, exclude_none=True))
