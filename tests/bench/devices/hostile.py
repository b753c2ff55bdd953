"""A stand-in for a device's Python that answers in one wrong way: ``python hostile.py WAY …``, as ssh starts it.

It takes the arguments of Python: ``-c PROBE``, or ``-P -m pocketlens.bench.worker --greet``. What is not wrong in a way
is right: the picture that it makes is the one that it was given.
"""

import base64
import json
import os
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

SIZE = [int(edge) for edge in os.environ.get("HOSTILE_SIZE", "64x64").split("x")]
"""That its artifact computes at."""

HOST: dict[str, Any] = {
    "os": "o", "kernel": "k", "machine": "m", "cpu": "c", "cores": 1, "memory_mb": 1, "python": "3", "pocketlens": "1",
    "packages": {},
}  # fmt: skip
PROBE: dict[str, Any] = {
    "python": [3, 11], "machine": "x86_64", "glibc": "2.36",
    "modules": ["numpy", "PIL", "onnxruntime", "openvino", "ai_edge_litert"],
}  # fmt: skip

PROBES: dict[str, Any] = {
    "probe no JSON": "{",
    "probe deep": "[" * 100_000,
    "probe null": None,
    "probe empty": {},
    "probe types": {**PROBE, "python": "x"},
    "probe glibc no number": {**PROBE, "glibc": "x.y", "modules": []},
    "probe glibc one number": {**PROBE, "glibc": "2", "modules": []},
    "probe glibc huge": {**PROBE, "glibc": "2.99999999", "modules": []},
    "probe machine": {**PROBE, "machine": "x86_64\x1b]0;EVIL\x07; --index-url=http://evil/", "modules": []},
}
"""What is printed after the probe's mark, by way."""

ANSWERS: dict[str, tuple[str, Any]] = {
    "list": ("host", []),
    "null": ("host", None),
    "number": ("host", 3),
    "deep": ("host", "[" * 200_000),
    "no UTF-8": ("host", b'{"host": "\xff"}'),
    "NaN": ("host", '{"host": NaN}'),
    "digits": ("host", '{"host": ' + "9" * 5000 + "}"),
    "error is an object": ("host", {"error": {"a": 1}}),
    "missing without a word": ("host", {"missing": True}),
    "no host": ("host", {}),
    "host is huge": ("host", {"host": {**HOST, "cpu": "C" * 2_000_000}, "emulation": ""}),
    "cores": ("host", {"host": {**HOST, "cores": 10**400}, "emulation": ""}),
    "no cores": ("host", {"host": {**HOST, "cores": 0}, "emulation": ""}),
    "snapshot": ("snapshot", {"snapshot": {"temperature_c": "hot"}}),
    "no snapshot": ("snapshot", {}),
    "load negative": ("load", {"load_ms": -1, "size": [64, 64], "runtime_info": {}, "baseline_mb": 1}),
    "load size": ("load", {"load_ms": 1, "size": [-1, 10**300], "runtime_info": {}, "baseline_mb": 1}),
    "load info": ("load", {"load_ms": 1, "size": [64, 64], "runtime_info": [1], "baseline_mb": 1}),
    "load text": ("load", {"load_ms": "1", "size": [64, 64], "runtime_info": {}, "baseline_mb": 1}),
    "first time": ("first", {"first_ms": 0}),
    "shape": ("first", {"shape": [0, 2**40, 3]}),
    "other shape": ("first", {"shape": [2, 2, 3], "stylized": base64.b64encode(zlib.compress(bytes(12))).decode()}),
    "picture short": ("first", {"stylized": base64.b64encode(zlib.compress(bytes(12))).decode()}),
    "picture no base64": ("first", {"stylized": "!"}),
    "picture no zlib": ("first", {"stylized": "AAAA"}),
    "picture is an object": ("first", {"stylized": {"a": 1}, "shape": {"a": 1}}),
    "score": ("first", {"psnr": 900}),
    "score without a number": ("first", {"psnr": None}),
    "times empty": ("play", {"frame_ms": [], "inference_ms": []}),
    "times negative": ("play", {"frame_ms": [-1] * 9, "inference_ms": [-1] * 9}),
    "times zero": ("play", {"frame_ms": [0] * 9, "inference_ms": [0] * 9}),
    "times tiny": ("play", {"frame_ms": [5e-324] * 9, "inference_ms": [0] * 9}),
    "times infinite": ("play", '{"frame_ms": [1e999], "inference_ms": [1]}'),
    "times of two lengths": ("play", {"frame_ms": [1] * 9, "inference_ms": [0] * 3}),
    "times longer than the clock": ("play", {"frame_ms": [1000.0] * 300, "inference_ms": [1.0] * 300}),
    "inference longer than its frame": ("play", {"frame_ms": [1.0] * 9, "inference_ms": [2.0] * 9}),
    "no memory": ("memory", {}),
    "memory no number": ("memory", {"peak_mb": "nan"}),
    "memory negative": ("memory", {"peak_mb": -5}),
}
"""By way, the command that is answered wrongly and the answer; of ``first``, the fields that differ."""

FLOODS = ("probe flood", "before the greeting", "a line without end", "lines", "standard error", "zlib bomb")


def answer(command: dict[str, Any]) -> dict[str, Any]:
    """The right answer."""
    if command["do"] == "first":
        import numpy as np

        picture = np.load(command["picture"])
        packed = base64.b64encode(zlib.compress(picture.tobytes(), 1)).decode()
        return {"first_ms": 1, "psnr": 999.0, "largest_error": 0, "stylized": packed, "shape": picture.shape}
    return {
        "host": {"host": HOST, "emulation": ""},
        "snapshot": {"snapshot": {}},
        "load": {"load_ms": 1, "size": SIZE, "runtime_info": {"version": "1"}, "baseline_mb": 1},
        "play": {"frame_ms": [1.0] * 30, "inference_ms": [0.9] * 30},
        "memory": {"peak_mb": 5},
    }[command["do"]]


def pour(what: bytes) -> None:
    """Write without end, as fast as it is taken."""
    while True:
        sys.stdout.buffer.write(what)


def say(value: Any) -> None:
    data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def main(way: str, arguments: list[str]) -> None:
    if "-c" in arguments:
        if way == "probe flood":
            pour(b"A" * 65536)
        printed = PROBES.get(way, PROBE)
        say("pocketlens-probe " + (printed if isinstance(printed, str) else json.dumps(printed)))
        return
    if way == "before the greeting":
        pour(b"x\n" * 4096)
    if way == "silent":
        time.sleep(10**6)
    say("pocketlens-worker 2")
    ways: dict[str, Callable[[], None]] = {
        "a line without end": lambda: pour(b"x" * 65536),
        "lines": lambda: pour(b"{}\n" * 4096),
    }
    for line in sys.stdin:
        command = json.loads(line)
        wrong = ANSWERS.get(way, ("", None))
        ways.get(way, lambda: None)()
        if way == "standard error":
            for _ in range(2000):
                sys.stderr.write("E" * 65536)
        if way == "zlib bomb" and command["do"] == "first":
            bomb = zlib.compressobj(1)
            packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(400)) + bomb.flush()
            say({**answer(command), "stylized": base64.b64encode(packed).decode()})
        elif command["do"] != wrong[0]:
            say(answer(command))
        elif command["do"] == "first":
            say({**answer(command), **wrong[1]})
        else:
            say(wrong[1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
