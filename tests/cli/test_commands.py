"""What all commands share: examples that parse, flags of one meaning, names of before, start-up, tracebacks."""

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import typer

from pocketlens.cli import COMMANDS, load_commands, output, renamed
from pocketlens.errors import InputError
from pocketlens.models.zoo import ARCHITECTURES
from pocketlens.runtimes.adapter import RUNTIMES
from tests.cli.calls import call, call_process

APP: Any = typer.main.get_command(load_commands())
SAY_WHAT_THEY_WRITE = "--out"
HEAVY = {
    "numpy",
    "PIL",
    "torch",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "openvino",
    "coremltools",
    "pydantic",
    "rich",
    "matplotlib",
}


def options() -> dict[str, dict[str, Any]]:
    """Every long flag, and for each command that has it, its option."""
    by_flag: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in COMMANDS:
        for option in APP.commands[name].params:
            if option.param_type_name == "option":
                by_flag[max(option.opts, key=len)][name] = option
    return by_flag


def test_help_names_every_command() -> None:
    shown = call("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS) and set(APP.commands) == set(COMMANDS)
    assert "..." not in shown.partition("Commands:")[2], "a sentence is cut off"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_that_parse(name: str) -> None:
    shown = call(name, "--help", columns=200).stdout
    lines = re.findall(r"Example: pocketlens (.*)", shown)
    assert lines
    for line in lines:
        command, *arguments = shlex.split(line.partition("&&")[0])
        assert command == name
        APP.commands[name].make_context(name, arguments)


def test_a_flag_has_one_help_text_and_one_short_form() -> None:
    for flag, by_command in options().items():
        assert len({tuple(sorted(option.opts)) for option in by_command.values()}) == 1, flag
        texts = {option.help.partition(" Several: ")[0] for option in by_command.values()}
        assert len(texts) == 1 or flag == SAY_WHAT_THEY_WRITE, (flag, texts)


def test_a_short_form_belongs_to_one_flag() -> None:
    flags = defaultdict(set)
    for flag, by_command in options().items():
        for option in by_command.values():
            for short in option.opts:
                flags[short].add(flag)
    assert all(len(names) == 1 for names in flags.values())


def test_commands_that_take_a_model_take_it_alike() -> None:
    by_flag = options()
    for flag in ("--architecture", "--size", "--input-range", "--output-range"):
        assert {"convert", "explain", "inspect", "optimize", "quantize"} <= set(by_flag[flag]), flag
    for flag in ("--target", "--precision", "--out", "--license", "--judge", "--calibrate", "--threads"):
        assert {"convert", "optimize", "quantize"} <= set(by_flag[flag]), flag
    assert {"build", "convert", "explain", "inspect", "quantize"} == set(by_flag["--rewrites"])


def test_every_command_can_print_json() -> None:
    assert set(options()["--json"]) == set(COMMANDS)


def test_sizes_are_height_x_width_everywhere() -> None:
    assert all(option.metavar == "HxW" for option in options()["--size"].values())
    for command in (["convert", "m.onnx"], ["train", "-o", "x", "--effect", "a:b"]):
        for wrong in ("32", "axb", "0x0", "99999x8", "²²x32"):
            assert "is not a size" in call(*command, "--size", wrong, code=2).stderr


def test_runtimes_are_named_in_the_help() -> None:
    assert all(name in option.help for option in options()["--runtime"].values() for name in RUNTIMES)


@pytest.mark.parametrize(("command", "flag"), renamed.RENAMED)
def test_a_flag_of_before_is_refused_with_its_successor(command: str, flag: str) -> None:
    successor = renamed.RENAMED[command, flag]
    called = f"is called `{successor}` now"
    assert called in call(command, "x", flag, code=2).stderr
    assert called in call(command, "x", flag, "value", code=2).stderr
    if flag.startswith("--"):
        assert called in call(command, f"{flag}=value", "x", code=2).stderr
    of, known = successor if " " in successor else f"{command} {successor}", options()
    name, _, option = of.partition(" ")
    assert not option.startswith("--") or name in known[option]
    assert flag not in known or command not in known[flag]


def test_an_unknown_flag_is_an_unknown_flag() -> None:
    shown = call("run", "x", "--nope", code=2).stderr
    assert "No such option: --nope" in shown and "now" not in shown


def test_a_command_of_before_is_refused_with_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(renamed.RENAMED, (renamed.COMMAND, "compile"), "build")
    assert "`compile` is called `build` now" in call("compile", "wave.toml", code=2).stderr
    assert "No such command" in call("complie", code=2).stderr


def test_a_value_that_looks_like_a_flag_of_before_is_a_value() -> None:
    assert "does not exist" in call("run", "x", "y.png", "-o", "--delegate", code=2).stderr


def test_help_imports_little_and_nothing_heavy() -> None:
    script = (
        "import sys; from pocketlens.cli import main; sys.argv = ['pocketlens', '--help']\n"
        f"try: main()\nfinally: sys.stderr.write(repr(({HEAVY} & set(sys.modules), len(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy, count = eval(done.stderr)
    assert not heavy
    assert count < 260, "196 when this was written, 144 of them Python's and typer's"


def test_a_command_ends_without_a_search_for_cycles() -> None:
    script = (
        "import atexit, gc, sys; atexit.register(lambda: sys.stderr.write(str(gc.get_freeze_count())))\n"
        "from pocketlens.cli import main; sys.argv = ['pocketlens', '--version']; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stderr) > 10_000


@pytest.mark.parametrize("columns", [80, 60])
def test_tables_fit_and_break_no_name(
    columns: int, bundle: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "say", lambda text: None)  # sentences are wrapped by the terminal
    size = ("--size", "32x48")
    convert = ("convert", model, *size, "-t", "coreml,tflite", "-p", "fp16", "-o", tmp_path)
    for arguments, names in (
        (("zoo",), tuple(ARCHITECTURES)),
        (("doctor",), ("onnxruntime", "cyclonedx-python-lib")),
        (("verify", bundle), ("onnx-fp32-32x48", "tflite-fp16-32x48", "onnxruntime")),
        (("inspect", bundle), ("onnx-fp32-32x48", "tflite-fp16-32x48", "onnxruntime")),
        (("inspect", model, *size), ("openvino", "tflite", "coreml")),
        (("explain", model, *size, "-t", "onnx,openvino,tflite,coreml"), ("InstanceNormalization", "node_Clip_0")),
        (convert, ("coreml-fp16-32x48", "tflite-fp16-32x48")),
    ):
        shown = call(*arguments, columns=columns).stdout
        assert set(names) <= set(shown.replace(",", " ").split()), shown
        assert max(map(len, shown.splitlines())) <= columns, shown


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" not in call_process("verify", "/none", code=2).stderr
    assert "Traceback" in call_process("verify", "/none", "--debug", code=1).stderr


def test_an_unexpected_error_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("of a library")

    monkeypatch.setattr("pocketlens.bundle.verify.verify", fail)
    shown = call("verify", "x", code=70).stderr
    assert "unexpected ValueError: of a library" in shown and "--debug" in shown


def test_the_table_of_names_of_before_says_where_a_flag_went() -> None:
    with pytest.raises(InputError, match="`inspect --explain` is called `explain` now"):
        renamed.refuse_renamed("inspect", "--explain")
    renamed.refuse_renamed("inspect", "--size")
