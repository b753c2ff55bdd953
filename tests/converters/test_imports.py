"""No module of the converters imports another in a circle, imports inside functions included."""

from graphlib import TopologicalSorter

import grimp

ROOM = "pocketlens.converters"


def test_no_module_imports_another_in_a_circle() -> None:
    imports = grimp.build_graph("pocketlens", cache_dir=None)
    modules = {ROOM, *imports.find_descendants(ROOM)}
    order = TopologicalSorter(
        {module: imports.find_modules_directly_imported_by(module) & modules for module in modules}
    )
    order.prepare()  # raises a CycleError that names the circle
