"""Adds up what became of all cases, over all processes, and prints it at the end of a deep run."""

from collections import Counter

import pytest

from tests.conformance.conform import DEEP, PROPERTY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and getattr(report, "when", "") == "call":
                    operator, target, ran, refused = value
                    counts.setdefault((operator, target), Counter()).update(ran=ran, refused=refused)
    if not counts:
        return
    targets = list(dict.fromkeys(target for _, target in counts))
    totals = {t: sum((c for (_, name), c in counts.items() if name == t), Counter()) for t in targets}
    terminalreporter.section("conformance")
    for target, total in totals.items():
        terminalreporter.write_line(f"{target}: {total['ran']} cases ran, {total['refused']} were refused")
    if not DEEP:
        return
    terminalreporter.write_line(f"{'refused':<30}" + "".join(f"{target:>10}" for target in targets))
    for operator in sorted({operator for operator, _ in counts}):
        shares = []
        for target in targets:
            count = counts.get((operator, target), Counter())
            shares.append(f"{count['refused'] / count.total():.0%}" if count.total() else "-")
        if any(share not in ("0%", "-") for share in shares):
            terminalreporter.write_line(f"{operator:<30}" + "".join(f"{share:>10}" for share in shares))
