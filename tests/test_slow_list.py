"""What ``make test-quick`` leaves out still exists: who renames a test renames it in ``tests/slow.txt`` too."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("line", (ROOT / "tests/slow.txt").read_text().splitlines())
def test_a_slow_test_exists(line: str) -> None:
    file, _, name = line.partition("::")
    text = (ROOT / file).read_text()
    assert not name or f"def {name.rpartition('::')[2]}(" in text or f"class {name.partition('::')[0]}" in text
