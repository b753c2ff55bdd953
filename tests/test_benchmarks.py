"""The scripts in benchmarks/ and lab/ run by hand only: what they import from here must still be there."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("lab/*.py")])


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _names(module: str) -> set[str]:
    """What a module defines or imports anywhere, and the modules in it."""
    names = {path.stem for path in _file(module).parent.iterdir()} if _file(module).name == "__init__.py" else set()
    text = _file(module).read_text("utf-8")
    lazy = "def __getattr__(" in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif lazy and isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # it may hand that out by __getattr__
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in ("pocketlens", "benchmarks")
        ):
            gone = {alias.name for alias in node.names} - _names(node.module)
            assert not gone, f"{script.name} imports {sorted(gone)} from {node.module}"
