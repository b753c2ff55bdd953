"""Searches beside each other: hypervolume over time, and what each one's front holds.

    python -m benchmarks.recipe_search tpe=wave-search random=wave-random --worst 0.3 40 1 -o docs/search.svg

The reference point of the hypervolume is the worst SSIM, ms and MB that count.
"""

import argparse
import json
from pathlib import Path

import optuna

from pocketlens.recipe_search.notebook import JOURNAL


def volumes(folder: Path, worst: list[float]) -> tuple[list[float], list[float]]:
    """Minutes since the first trial began, and the hypervolume of what was found until then."""
    from optuna.visualization.matplotlib import plot_hypervolume_history

    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.load_study(study_name=None, storage=storage)
    begun = min(trial.datetime_start for trial in study.trials if trial.datetime_start)
    told = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    told.sort(key=lambda trial: trial.datetime_complete)
    in_order = optuna.create_study(directions=study.directions)  # by number a trial would count before it was told
    in_order.add_trials(told)
    values = plot_hypervolume_history(in_order, worst).lines[0].get_ydata().tolist()
    return [(trial.datetime_complete - begun).total_seconds() / 60 for trial in told], values


def main() -> None:
    from matplotlib import pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("searches", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--worst", nargs="+", type=float, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    curves = {}
    for text in options.searches:
        name, _, folder = text.partition("=")
        curves[name] = volumes(Path(folder), options.worst)
        front = json.loads((Path(folder) / "front.json").read_text())["front"]
        print(f"{name}: hypervolume {curves[name][1][-1]:.4f} after {curves[name][0][-1]:.1f} minutes")
        for point in front:
            ms = ", ".join(f"{value:.2f} ms" for value in point["p95_ms"])
            print(f"  {point['trial']:3} SSIM {point['ssim']:.4f}, {ms}, {point['mb']:.3f} MB: {point['text']}")
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pocketlens"}):
        figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
        for name, (minutes, values) in curves.items():
            axes.step(minutes, values, where="post", label=name)
        axes.set_xlabel("minutes")
        axes.set_ylabel("hypervolume")
        axes.legend(frameon=False)
        figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
