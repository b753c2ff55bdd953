"""The rewrites as one page: ``python -m pocketlens.converters.rewrites.page`` writes ``docs/rewrites.md`` (``make rewrites``)."""

import inspect
import sys
from pathlib import Path

from pocketlens.converters.rewrites import registry
from pocketlens.converters.rewrites.canonicalize import PASSES
from pocketlens.targets import TARGETS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rewrites.md"

_HEAD = """# Rewrites

Exact graph-to-graph passes: the same pixels, fewer milliseconds. Written by `make rewrites` from the registry
(`pocketlens/converters/rewrites/`); each pass's docstring derives why it is exact.

Which ones a target gets is said by `--rewrites` of `build` and `convert`, or by a recipe:

```toml
[rewrites]
keep = "safe"
```

| choice | keeps |
|---|---|
| `none` | nothing of this page: only what brings the graph into one form for every target |
| `safe` | each target's set below that needs no measuring; what is taken if nothing is said |
| `auto` | what is faster on this machine: measured at the recipe's first size, and remembered with all that it depends on |
| `NAME,NAME` | these, on every target; in a recipe `keep = ["NAME", "NAME"]` |

An artifact's `rewrites` in the manifest names those that changed something. Every rewritten graph is played and compared with
the teacher (100 dB), and so is every file that is made of it, like any other.

"""

_MEASURED = """
## Measured choice

    pocketlens optimize wave.npz -a fast-style -t onnx -t tflite -o out

tries every rewrite on every target, in the order above, each on top of what was kept, and once more together with those before
it that changed something but won nothing: packing may pay only once what follows stays packed. Then the target's set is tried
against what was found, and what was found against nothing at all. Everything that is timed has been verified, plays in turns
with the others, and is loaded in two processes: OpenVINO's time of one small file differed by a third from one process to the
next, while rounds within each agreed to a hundredth. A rewrite is kept if the 95 % interval over pairs of neighbouring rounds
and over all pairs of processes lies above 1, and it is at least 1.01 times faster.

The choice is kept in the cache by the graph, the code, the libraries, the machine or device, and the threads; not if the machine
was busy with something else. `build --rewrites auto` stores the table of what was tried in `measurements/rewrites.json`: times are
never the same twice, so that they lie outside the bundle's hashes. Core ML programs have no speed where they are interpreted, and
take their set.

`make bench-rewrites` prints what each target's set gains on each architecture, beside what other tools make of the same generator;
[decision 10](decisions/0010-which-rewrites-are-on-by-default.md) says why a set is as it is.

`pocketlens explain MODEL -t onnx -t tflite` shows the graph before and after, and what its layers cost; `--profile` what
they take here.
"""

_ELSEWHERE = """
Constants are folded, and what is the same, does nothing or is read by nobody is dropped, before, between and after these passes
(`FoldConstants`, `cleanup`). Batch norms go into the convolution on either side; a padding with zeros goes into the convolution behind
it; the range that a generator was trained on is a scale and shift at either end, which the same passes take into the first and
last convolution where nothing stands between.

## Where a target has its own form

Not everything exact is a pass on the graph. What only one target needs is written by its emitter, from what the graph means:

| what | onnx, openvino | tflite | coreml |
|---|---|---|---|
| bilinear with `align_corners` | their own operator | RESIZE_BILINEAR with `alignCorners` | `STRICT_ALIGN_CORNERS` |
| padding by reflection | their own operator | slices and concatenations, which stay in XNNPACK | `pad`, mode `reflect` |
| padding with zeros that no convolution took | their own operator | SAME where that is the same, else PAD | `pad` |
| pixel shuffle in torch's order of channels | DepthToSpace, `CRD` | the convolution's channels in TFLite's order, DEPTH_TO_SPACE | `pixel_shuffle` |
| norms over groups of more than 65,536 values | means of means (decision 5) | means of rows first, then of channels | its own norms |
"""


def page() -> str:
    """The text of the page."""
    targets = list(TARGETS)
    lines = [_HEAD, "## Chosen by target\n\n", f"| rewrite | what it does | {' | '.join(targets)} |\n"]
    lines.append(f"|---|---|{'---|' * len(targets)}\n")
    for rewrite in registry.REWRITES.values():
        marks = " | ".join("yes" if rewrite.name in TARGETS[target].rewrites else "" for target in targets)
        lines.append(f"| `{rewrite.name}` | {rewrite.summary} | {marks} |\n")
    only = ", ".join(f"`{rewrite.name}`" for rewrite in registry.REWRITES.values() if rewrite.only_fp32)
    lines.append("\nThey run in this order. `yes`: in the target's `safe` set. ")
    lines += [f"Other precisions than fp32 never get {only}: their sums need the bits.\n", _MEASURED]
    lines.append(
        "\n## For every target\n\nWhat brings the graph into one form before anything is chosen:\n\n| pass | what it does |\n|---|---|\n"
    )
    for kind in PASSES:
        lines.append(f"| {kind.__name__} | {_sentence(kind)} |\n")
    lines.append(_ELSEWHERE)
    return "".join(lines)


def _sentence(kind: type) -> str:
    """The first sentence of a pass's module: it says what becomes of the graph."""
    text = inspect.getdoc(sys.modules[kind.__module__]) or ""
    return " ".join(text.split("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page())
