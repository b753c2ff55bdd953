"""What the GitHub action does: verify a bundle, measure it against its budget, compare it with a baseline, report in
Markdown.

It asks ``pocketlens verify``, ``bench`` and ``compare`` for ``--json`` and needs nothing but Python, so that it can
also be run by hand::

    python action/check.py wave.bundle --baseline main.json --out report
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, BROKEN, WRONG_INPUT = 0, 1, 2
MARK = "<!-- pocketlens {name} -->"
"""The report's first line: by it the comment of an earlier run is found and replaced."""
_ICONS = {"pass": "✅", "ok": "✅", "fail": "❌", "error": "❌", "unstable": "⚠️"}


@dataclass(frozen=True)
class Answer:
    """What a command of Pocketlens said.

    Attributes:
        code: Its exit code.
        document: Its JSON document; empty if it ended before it wrote one.
        error: What it said went wrong.
    """

    code: int
    document: dict[str, Any]
    error: str


@dataclass
class Report:
    """What is known of a bundle so far.

    Attributes:
        name: The bundle's name.
        code: The exit code: the worst of all commands so far.
        problems: Why it is not 0, a sentence each.
        notes: What one has to know to read the figures.
        rows: Artifact and runtime to cells of the table, by column.
        machine: Where it was measured.
        baseline: What it was compared with; empty if with nothing.
    """

    name: str
    code: int = OK
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    machine: str = ""
    baseline: str = ""

    @property
    def verdict(self) -> str:
        """``pass``, ``fail``, or ``error`` where something could not be checked."""
        return {OK: "pass", BROKEN: "fail"}.get(self.code, "error")

    def problem(self, text: str, code: int) -> None:
        """Add a problem; input that is wrong outweighs a verdict, as it leaves something unchecked."""
        self.problems.append(text)
        self.code = max(self.code, code)

    def cell(self, label: str, column: str, text: str) -> None:
        """Fill a cell of the table."""
        self.rows.setdefault(label, {})[column] = text

    def markdown(self) -> str:
        """The report, for a comment or a job's summary."""
        what = {"pass": "holds", "fail": "does not hold", "error": "could not be checked"}[self.verdict]
        lines = [MARK.format(name=self.name), f"### {_ICONS[self.verdict]} Pocketlens: `{self.name}` {what}", ""]
        if self.problems:
            lines += [*(f"- {_escaped(problem)}" for problem in self.problems), ""]
        if self.rows:
            columns = ["verify", "p50 ms", "p95 ms", "MB", "budget", *(["to the baseline"] if self.baseline else [])]
            lines += [
                f"| artifact | {' | '.join(columns)} |",
                f"|---|{'|'.join('--:' if ' ms' in column or column == 'MB' else '---' for column in columns)}|",
            ]
            lines += [
                f"| {_escaped(label)} | {' | '.join(_escaped(cells.get(column, '–')) for column in columns)} |"
                for label, cells in self.rows.items()
            ]
            lines.append("")
        if self.baseline:
            lines += [
                f"Compared with {self.baseline}: the time of a frame as a share of the baseline's, with its 95 % "
                f"confidence interval.",
                "",
            ]
        if self.machine:
            lines += [f"Measured on {_escaped(self.machine)}.", ""]
        lines += [f"> {_escaped(note)}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def run(*arguments: str) -> tuple[int, str, str]:
    """Run Pocketlens. Returns its exit code, and what it wrote to its output and to its error output."""
    ended = subprocess.run(
        [sys.executable, "-m", "pocketlens", *arguments], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


def ask(*arguments: str) -> Answer:
    """Run a command of Pocketlens with ``--json``; what it says of its progress goes on to the log."""
    print("$ pocketlens", *arguments, file=sys.stderr, flush=True)
    code, text, log = run(*arguments, "--json")
    print(log, end="", file=sys.stderr, flush=True)
    try:
        document = json.loads(text) if text.strip() else {}
    except ValueError:
        document = {}
    _, _, error = log.rpartition("error: ")
    return Answer(code, document, " ".join(error.split()) or f"exit code {code}")


def verify(report: Report, bundle: Path) -> bool:
    """Check the bundle's files and pictures. Returns whether it can be measured."""
    answer = ask("verify", str(bundle))
    if not answer.document:
        report.problem(f"The bundle cannot be verified: {answer.error}", max(answer.code, WRONG_INPUT))
        return False
    for check in answer.document["checks"]:
        if " in " in check["name"]:
            report.cell(check["name"], "verify", _marked(check["state"]))
        if check["state"] == "fail":
            report.problem(f"{check['name']}: {check['details']}", BROKEN)
    if answer.code != OK and report.code == OK:
        report.problem(f"Verification ended in {answer.document['verdict']}.", answer.code)
    if answer.document["gates"] == "fail":
        report.notes.append("The gates of the bundle's own recipe did not hold when it was built.")
    return answer.code == OK


def bench(report: Report, bundle: Path, out: Path, options: Sequence[str]) -> bool:
    """Measure the bundle and judge its budget. Returns whether ``out`` holds a measurement."""
    answer = ask("bench", str(bundle), "-o", str(out), *options)
    if not answer.document:
        report.problem(f"The bundle cannot be measured: {answer.error}", max(answer.code, WRONG_INPUT))
        return False
    for device in answer.document["devices"]:
        report.notes += device["notes"]
        if device["error"]:
            report.problem(f"{device['device']}: {device['error']['what']}; {device['error']['do']}", answer.code)
        for judged in device["verdicts"]:
            label = ", ".join(filter(None, (f"{judged['artifact']} in {judged['runtime']}", judged["setting"])))
            worst = report.rows.get(label, {}).get("budget", "")
            if _rank(judged["verdict"]) >= _rank(worst):
                report.cell(label, "budget", _marked(judged["verdict"]))
            if judged["verdict"] in ("fail", "unstable"):
                report.problem(
                    f"{label}: {judged['name']} at most {judged['limit']:.4g}: {judged['verdict']}, {judged['reason']}",
                    BROKEN,
                )
    for subject in answer.document["subjects"]:
        label = f"{subject['artifact']} in {subject['runtime']}"
        if "p50_ms" in subject:
            report.cell(label, "p50 ms", f"{subject['p50_ms']:.1f}")
            report.cell(label, "p95 ms", f"{subject['p95_ms']:.1f}")
        if "memory_mb" in subject:
            report.cell(label, "MB", f"{subject['memory_mb']:.0f}")
        if subject["failure"]:
            report.problem(f"{label}: {subject['failure']}", BROKEN)
    if answer.code != OK and report.code == OK:
        report.problem(f"The measurement ended in {answer.document['verdict']}.", answer.code)
    if out.is_file():
        host = json.loads(out.read_text("utf-8"))["environment"]["host"]
        report.machine = f"{host['cpu']}, {host['cores']} cores, {host['os']}, with Pocketlens {host['pocketlens']}"
    return out.is_file()


def measured_baseline(report: Report, baseline: Path, folder: Path, options: Sequence[str]) -> Path | None:
    """The baseline's measurement: the file that was given, or one that is made now of the bundle that was given."""
    if baseline.is_dir() or baseline.suffix == ".zip":
        out = folder / "baseline.json"
        answer = ask("bench", str(baseline), "-o", str(out), *options)
        if not out.is_file():
            report.problem(f"The baseline cannot be measured: {answer.error}", max(answer.code, WRONG_INPUT))
            return None
        return out
    if not baseline.is_file():
        report.problem(f"There is no baseline at {baseline}.", WRONG_INPUT)
        return None
    return baseline


def compare(report: Report, baseline: Path, measurement: Path, threshold: float) -> None:
    """Set the measurement beside the baseline's."""
    answer = ask("compare", str(baseline), str(measurement), "--threshold", str(threshold))
    if not answer.document:
        report.problem(f"The baseline cannot be compared: {answer.error}", max(answer.code, WRONG_INPUT))
        return
    slower = [found["label"] for found in answer.document["regressions"]]
    for found in answer.document["comparisons"][0]["subjects"]:
        share = f"{found['ratio']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
        mark = _ICONS["fail"] + " " if found["label"] in slower else ""
        report.cell(found["label"], "to the baseline", f"{mark}{share}, {found['finding']}")
        if found["label"] in slower:
            report.problem(
                f"{found['label']} is {found['ratio'] - 1:.1%} slower than the baseline (at most {threshold:g} %).",
                BROKEN,
            )


def check(bundle: Path, folder: Path, options: Sequence[str], baseline: Path | None, threshold: float) -> Report:
    """Do all of it. What cannot be done is a problem in the report.

    Args:
        bundle: The bundle.
        folder: Gets ``measurement.json``, and ``baseline.json`` where the baseline is a bundle.
        options: More options of ``pocketlens bench``.
        baseline: A measurement document, or a bundle to be measured before this one.
        threshold: Percent that a frame may take longer than the baseline's.
    """
    report = Report(re.sub(r"[^\w.-]+", "-", bundle.resolve().name))
    measurement = folder / "measurement.json"
    if not verify(report, bundle):
        return report
    before = measured_baseline(report, baseline, folder, options) if baseline is not None else None
    if bench(report, bundle, measurement, options) and before is not None and baseline is not None:
        report.baseline = _escaped(baseline.name)
        compare(report, before, measurement, threshold)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; an option that is given empty counts as left out, as an action's inputs do."""
    parser = argparse.ArgumentParser(description="Verify a bundle, measure it against its budget, compare it, report.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path("pocketlens-report"), help="folder for report.md and measurement.json"
    )
    parser.add_argument("--baseline", default="", help="a measurement document, or a bundle to measure first")
    parser.add_argument("--threshold", type=float, default=10.0, help="percent slower that is still allowed")
    for option in ("fps", "frame-ms", "preset", "device", "runtime", "seconds"):
        parser.add_argument(f"--{option}", default="", help="as pocketlens bench takes it")
    given = parser.parse_args(arguments)
    options = [
        part
        for option in ("fps", "frame-ms", "preset", "device", "runtime", "seconds")
        if (value := getattr(given, option.replace("-", "_")))
        for part in (f"--{option}", value)
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    for stale in ("measurement.json", "baseline.json", "report.md"):
        (given.out / stale).unlink(missing_ok=True)
    report = check(given.bundle, given.out, options, Path(given.baseline) if given.baseline else None, given.threshold)
    text = report.markdown()
    (given.out / "report.md").write_text(text, "utf-8")
    print(text)
    _append("GITHUB_STEP_SUMMARY", text)
    measurement = given.out / "measurement.json"
    _append(
        "GITHUB_OUTPUT",
        f"verdict={report.verdict}\ncode={report.code}\nreport={given.out / 'report.md'}\n"
        f"measurement={measurement if measurement.is_file() else ''}\n",
    )
    return report.code


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _rank(state: str) -> int:
    return next((rank for rank, word in enumerate(("pass", "unstable", "fail"), 1) if word in state), 0)


def _marked(state: str) -> str:
    return f"{_ICONS[state]} {state}" if state in _ICONS else state


def _escaped(text: str) -> str:
    """Text that is no Markdown: names come out of files that somebody else may have written."""
    text = " ".join(text.split()).replace("@", "@\u200b")  # a space without width: nobody is mentioned
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|#" else letter for letter in text)


if __name__ == "__main__":
    sys.exit(main())
