"""What Qualcomm measured on Snapdragon devices: milliseconds of published networks.

``snapdragon.csv`` is the part of the package qai-hub-models 0.65.0 (BSD-3-Clause, see ``LICENSE.qai-hub-models.txt``)
that :mod:`pocketlens.phones.networks` knows the layers of, where the whole network ran on the neural processor.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pocketlens.errors import InputError

FILE = Path(__file__).with_name("snapdragon.csv")
SOURCE = "Qualcomm AI Hub Models 0.65.0, BSD-3-Clause"
ARITHMETICS = {"fp32": "float", "fp16": "float", "w8": "float", "int8": "w8a8", "int8-a16": "w8a16"}
"""An artifact's precision → the arithmetic that was measured. A neural processor computes fp32 files in fp16."""


@dataclass(frozen=True)
class Setting:
    """What a series of networks was measured with.

    Attributes:
        phone: The device's name.
        arithmetic: float, w8a8 (8 bits) or w8a16 (8-bit weights, 16-bit values).
        runtime: tflite, onnx, or qnn_dlc for Qualcomm's own.
    """

    phone: str
    arithmetic: str
    runtime: str


@cache
def measurements() -> dict[Setting, dict[str, float]]:
    """Milliseconds of each network that was measured in a setting."""
    by_setting: dict[Setting, dict[str, float]] = defaultdict(dict)
    with FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            setting = Setting(row["device"], row["precision"], row["runtime"])
            by_setting[setting][row["model"]] = float(row["ms"])
    return dict(by_setting)


def phones() -> tuple[str, ...]:
    """The devices that were measured, in alphabetical order."""
    return tuple(sorted({setting.phone for setting in measurements()}))


def phone_named(name: str) -> str:
    """A device by its name or a part of it.

    Raises:
        InputError: No device or several have that in their names; the message lists them.

    Example:
        >>> phone_named("galaxy s24")
        'Samsung Galaxy S24'
    """
    words = name.casefold().split()
    matches = [phone for phone in phones() if set(words) <= set(phone.casefold().split())]
    exact = [phone for phone in phones() if phone.casefold() == name.casefold()]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    said = "several phones are called" if matches else "no measurements are known of a phone"
    raise InputError(f"{said} {name!r}", do=f"choose from {', '.join(matches or phones())}")
