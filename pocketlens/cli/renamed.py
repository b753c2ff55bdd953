"""What flags and commands of earlier versions are called now: they are refused with the name of their successor."""

from pocketlens.errors import InputError

COMMAND = ""
"""In :data:`RENAMED`, what stands in place of a command's name where the command itself was renamed."""

RENAMED: dict[tuple[str, str], str] = {
    ("bench", "--delegate"): "--accelerator",
    ("bench", "--precision"): "--compute-precision",
    ("inspect", "--explain"): "explain",
    ("inspect", "--gbytes"): "explain --gbytes",
    ("inspect", "--gmacs"): "explain --gmacs",
    ("inspect", "--profile"): "explain --profile",
    ("inspect", "--target"): "explain --target",
    ("inspect", "--threads"): "explain --threads",
    ("inspect", "-t"): "explain -t",
    ("quantize", "--keep"): "--keep-float",
    ("run", "--delegate"): "--accelerator",
    ("run", "--device"): "--accelerator",
    ("run", "--explain"): "--why",
    ("run", "--precision"): "--compute-precision",
    ("train", "--style-image"): "--style",
}
"""(command, flag of before) to the flag of the same command, or to another command with its flag."""


def refuse_renamed(command: str, word: str) -> None:
    """Refuse a flag, or a command, that has another name now.

    Args:
        command: The command that was given the flag; :data:`COMMAND` where the word is a command itself.
        word: The flag, or the command.

    Raises:
        InputError: It has another name; says which.

    Example:
        >>> refuse_renamed("run", "--delegate")
        Traceback (most recent call last):
        pocketlens.errors.InputError: `--delegate` is called `--accelerator` now
          do: pocketlens run --help lists what there is
    """
    successor = RENAMED.get((command, word))
    if successor is None:
        return
    if successor.startswith("-"):
        raise InputError(f"`{word}` is called `{successor}` now", do=f"pocketlens {command} --help lists what there is")
    raise InputError(
        f"`{f'{command} {word}'.strip()}` is called `{successor}` now",
        do=f"pocketlens {successor.split()[0]} --help shows an example",
    )
