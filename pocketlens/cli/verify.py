"""``pocketlens verify``."""

import typer

from pocketlens.cli import command, options, output


@command("verify wave.bundle", "verify wave.bundle --accelerator gpu")
def verify(
    bundle: options.Bundle,
    runtime: options.Runtimes = None,
    accelerator: options.Accelerator = None,
    json: options.Json = False,
) -> None:
    """Check a bundle here: its manifest, every hash, and its golden pictures in every runtime that is installed."""
    from pocketlens.bundle.verify import verify as verify_bundle

    with output.progress() as notify:
        done = 0

        def count(name: str) -> None:
            nonlocal done
            done += 1
            notify(name, done, done)

        report = verify_bundle(
            bundle, options.several(runtime) or None, lambda check: count(check.name), accelerator=accelerator
        )
    if json:
        output.document({"checks": report.checks, "gates": report.gates, "verdict": report.verdict})
    else:
        output.table(
            ["check", "state", "details"], [[check.name, check.state, check.details] for check in report.checks]
        )
        output.say(f"verify: {report.verdict}; the bundle's own gates: {report.gates or 'not readable'}")
    if report.verdict != "pass":
        raise typer.Exit(1)
