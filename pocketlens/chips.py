"""The chips that some targets compile for: a file of such a target is for one of them."""

from pocketlens.quick_dataclass import dataclass


@dataclass(frozen=True)
class Chip:
    """A chip that a compiler is told to compile for.

    Attributes:
        name: As recipes and file names have it: the maker's model number, which ``Build.SOC_MODEL`` gives on a phone
            in capitals.
        title: As it is sold.
        soc_model: The number that Qualcomm's compiler knows it by.
        floats: Whether that processor computes in half precision as well as in integers.
    """

    name: str
    title: str
    soc_model: int
    floats: bool = True


@dataclass(frozen=True)
class ChipChoice:
    """Which chips there is a file for.

    Attributes:
        names: Of chips; empty for every one that computes in the precision.
        partly_on_cpu: Whether operators that a chip's accelerator lacks may be left to its processor.
    """

    names: tuple[str, ...] = ()
    partly_on_cpu: bool = False


ANY_CHIP = ChipChoice()
SNAPDRAGON = (
    Chip("sm8450", "Snapdragon 8 Gen 1", 36),
    Chip("sm8475", "Snapdragon 8+ Gen 1", 42),
    Chip("sm8550", "Snapdragon 8 Gen 2", 43),
    Chip("sm8650", "Snapdragon 8 Gen 3", 57),
    Chip("sm8750", "Snapdragon 8 Elite", 69),
    Chip("sm8845", "Snapdragon 8 Gen 5", 97),
    Chip("sm8850", "Snapdragon 8 Elite Gen 5", 87),
    Chip("sm8975", "Snapdragon 8 Elite Extreme Gen 6", 103),
    Chip("sm7750", "Snapdragon 7 Gen 4", 86, floats=False),
)
"""Chips of phones whose processor onnxruntime-qnn 2.7.0 compiles for; decision 18 says where the numbers are from."""
