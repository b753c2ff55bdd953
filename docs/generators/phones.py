"""Tables of predicted phones: the error in each setting, and the published networks behind it."""

import numpy as np

from docs.generators.jsonschema import table
from pocketlens.phones.measurements import measurements
from pocketlens.phones.model import rates, settings
from pocketlens.phones.networks import NETWORKS, costs


def errors() -> str:
    """The error of each phone, arithmetic and runtime, by leaving each network out."""
    rows: list[tuple[str, ...]] = []
    for setting in settings():
        off = np.abs(1 / np.array(list(rates(setting).ratios.values())) - 1)
        median, worst = f"{100 * np.median(off):.0f} %", f"{100 * np.quantile(off, 0.9):.0f} %"
        rows.append((setting.phone, setting.arithmetic, setting.runtime, str(len(off)), median, worst))
    return table(("phone", "computes in", "runtime", "networks", "median error", "90th percentile"), rows)


def networks() -> str:
    """Every network: its work, and how far the predictions without it were off."""
    rows: list[tuple[str, ...]] = []
    for name in NETWORKS:
        row = [name, f"{costs(name).all_gmacs:.2f}"]
        for arithmetic in ("float", "w8a8"):
            settings_with = [s for s in settings() if s.arithmetic == arithmetic and name in measurements()[s]]
            ratios = [1 / rates(setting).ratios[name] for setting in settings_with]
            row.append(f"{np.median(ratios):.2f}" if ratios else "")
        rows.append(tuple(row))
    return table(("network", "GMACs", "predicted / measured, float", "w8a8"), rows)
