"""The rewrites as one page: ``python -m pocketlens.converters.rewrites.page`` writes ``docs/rewrites.md``.

``make rewrites`` does that.
"""

import inspect
import sys
from pathlib import Path

from pocketlens.converters.rewrites import registry
from pocketlens.converters.rewrites.canonicalize import PASSES
from pocketlens.targets import TARGETS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rewrites.md"

_HEAD = """# Rewrites

A rewrite is an exact pass from graph to graph: the same pixels, fewer milliseconds. `make rewrites` writes this page
from the registry (`pocketlens/converters/rewrites/`). The docstring of each pass derives why it is exact. What
rewrites gain: [figures](figures/rewrites.md).

`--rewrites` of `build` and `convert`, or a recipe, says which rewrites a target gets:

```toml
[rewrites]
keep = "safe"
```

| choice | keeps |
|---|---|
| `none` | no rewrite of this page; only the passes that bring the graph into one form for every target |
| `safe` (default) | the set of each target in the table below, which needs no measuring |
| `auto` | what is faster on this machine: it is measured at the recipe's first size, and kept in the cache |
| `NAME,NAME` | these, on every target; in a recipe `keep = ["NAME", "NAME"]` |

An artifact's `rewrites` in the manifest names those that changed something. Every rewritten graph is played and
compared with the teacher: it must reach 100 dB. Every file that is made of it is compared as well, like any other
file.

"""

_MEASURED = """
## Measured choice

    pocketlens optimize wave.npz -a fast-style -t onnx -t tflite -o out

`optimize` tries every rewrite on every target, in the order above, on top of what was kept so far. It tries a rewrite
once more together with those before it that changed something and gained nothing: packing may pay only if the next
layers stay packed. At the end it compares the target's set with what was found, and what was found with no rewrites
at all.

Everything that is timed has been verified. All candidates play in turns, and each is loaded in two processes:
OpenVINO's time of one small file differed by a third between two processes, while rounds within each agreed to a
hundredth. A rewrite is kept if it is at least 1.01 times faster, and if the 95 % interval, over pairs of neighbouring
rounds and over all pairs of processes, lies above 1.

The cache keeps the choice under the graph, the code, the libraries, the machine or device, and the threads. If the
machine was busy with something else, the choice is not kept. `build --rewrites auto` writes the table of what was
tried to `measurements/rewrites.json`, outside the bundle's hashes, because times are never the same twice. Core ML
programs have no speed where they are interpreted, so there Core ML takes its set.

`make bench-rewrites` prints what each target's set gains on each architecture, beside the files of other tools.
[Decision 10](decisions/0010-which-rewrites-are-on-by-default.md) says why a set is as it is.

`pocketlens explain MODEL -t onnx -t tflite` shows the graph before and after the rewrites, and what its layers cost.
`--profile` measures the layers here.
"""

_ELSEWHERE = """
Before, between and after these passes constants are folded (`FoldConstants`), and nodes that are equal, do nothing,
or are read by no other node are removed (`cleanup`). A batch norm goes into the convolution before or behind it. A
padding with zeros goes into the convolution behind it. The range that a generator was trained on is a scale and shift
at both ends of the graph; the same passes fold it into the first and last convolution if nothing stands between.

## Where a target has its own form

Not everything exact is a pass on the graph. What only one target needs is written by its emitter:

| what | onnx, openvino | tflite | coreml |
|---|---|---|---|
| bilinear with `align_corners` | their own operator | RESIZE_BILINEAR with `alignCorners` | `STRICT_ALIGN_CORNERS` |
| padding by reflection | their own operator | slices and concatenations, which stay in XNNPACK | \
`pad`, mode `reflect` |
| padding with zeros that no convolution took | their own operator | SAME where that is the same, else PAD | `pad` |
| pixel shuffle in torch's order of channels | DepthToSpace, `CRD` | \
the convolution's channels in TFLite's order, DEPTH_TO_SPACE | `pixel_shuffle` |
| norms over groups of more than 65,536 values \
| means of means ([decision 5](decisions/0005-long-norms-are-means-of-means.md)) \
| means of rows first, then of channels | its own norms |
"""


def page() -> str:
    """The text of the page."""
    targets = list(TARGETS)
    lines = [_HEAD, "## Chosen by target\n\n", f"| rewrite | what it does | {' | '.join(targets)} |\n"]
    lines.append(f"|---|---|{'---|' * len(targets)}\n")
    for rewrite in registry.REWRITES.values():
        marks = " | ".join("yes" if rewrite.name in TARGETS[target].rewrites else "" for target in targets)
        lines.append(f"| `{rewrite.name}` | {rewrite.summary} | {marks} |\n")
    only = " and ".join(f"`{rewrite.name}`" for rewrite in registry.REWRITES.values() if rewrite.only_fp32)
    lines.append("\nThey run in this order. `yes` means that the rewrite is in the target's `safe` set. ")
    lines += [f"Only `fp32` files get {only}: their sums need all bits.\n", _MEASURED]
    lines.append(
        "\n## For every target\n\nThese passes bring the graph into one form before rewrites are chosen:\n\n"
        "| pass | what it does |\n|---|---|\n"
    )
    for kind in PASSES:
        lines.append(f"| {kind.__name__} | {_sentence(kind)} |\n")
    lines.append(_ELSEWHERE)
    return "".join(lines)


def _sentence(kind: type) -> str:
    """What becomes of the graph: the first sentence of a pass's module, or of the pass where a module holds several."""
    alone = sum(other.__module__ == kind.__module__ for other in PASSES) == 1
    text = inspect.getdoc(sys.modules[kind.__module__] if alone else kind) or ""
    return " ".join(text.split("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page())
