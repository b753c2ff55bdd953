"""Scores by training time, of one or more distillations: ``python -m benchmarks.training_curve wave-student
wave-pruned``.

Reads ``student.json`` of each folder that ``pocketlens distill`` wrote, or the state that a training leaves behind,
prints a Markdown table and draws ``docs/training-curve.svg``. ``--styles`` is for one pack: a column and a line for
each of its styles.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from safetensors import safe_open

MINUTES = (0.5, 1, 2, 4, 8, 15, 30, 60, 120)
"""Rows of the table: the last score up to each of them; the ends of the trainings beside them."""
FORMS = {"ssim": ".3f", "psnr": ".1f"}
Score = dict[str, float]


def history(folder: Path) -> list[Score]:
    """The scores on the way; minutes are processor minutes, halved."""
    finished = folder / "student.json"
    if finished.exists():
        facts = json.loads(finished.read_text())
    else:
        with safe_open(folder / "training.safetensors", framework="numpy") as state:
            facts = json.loads(state.metadata()["facts"])
    scores: list[Score] = facts["history"]
    return scores


def of_styles(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """The SSIM of each style of a pack, as a history of its own."""
    names = [name for name in scores[-1] if name not in ("step", "minutes", "ssim", "psnr")]
    return {name: [{"minutes": score["minutes"], "ssim": score[name]} for score in scores] for name in names}


def rows(histories: Sequence[Sequence[Score]]) -> list[str]:
    """A line for each of :data:`MINUTES` that was reached, and for the end of each training; columns end there."""
    ends = [scores[-1]["minutes"] for scores in histories]
    lines = []
    for limit in sorted({*(m for m in MINUTES if m < max(ends)), *ends}):
        cells = []
        for scores, end in zip(histories, ends, strict=True):
            until = [score for score in scores if score["minutes"] <= limit <= end]
            last = [f"{until[-1][key]:{form}}" for key, form in FORMS.items() if until and key in until[-1]]
            cells.append(", ".join(last))
        lines.append(f"| {round(limit, 1):g} | {' | '.join(cells)} |")
    return lines


def draw(histories: Sequence[Sequence[Score]], names: Sequence[str], path: Path) -> None:
    """SSIM over minutes, which are spread by their logarithm."""
    low = min(score["ssim"] for scores in histories for score in scores)
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for scores, name in zip(histories, names, strict=True):
        axes.plot([s["minutes"] for s in scores], [s["ssim"] for s in scores], label=name)
    axes.set(xscale="log", xlabel="minutes on two cores", ylabel="SSIM against the teacher")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(np.arange(0.3 if low < 0.5 else 0.55, 0.96, 0.05))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--names", nargs="+", help="what each is called in the picture; its folder's name if left out")
    parser.add_argument("--styles", action="store_true", help="of one pack: each style")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/training-curve.svg"))
    args = parser.parse_args(arguments)
    histories = [history(folder) for folder in args.folders]
    names = args.names or [folder.name for folder in args.folders]
    if args.styles:
        styles = of_styles(histories[0])
        histories, names = list(styles.values()), list(styles)
        print(f"| minutes | {' | '.join(names)} |")
    print("\n".join(rows(histories)))
    draw(histories, names, args.output)


if __name__ == "__main__":
    main()
