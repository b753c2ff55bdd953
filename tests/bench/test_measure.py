import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketlens.bench import statistics
from pocketlens.bench.budget import PerformanceBudget, judge
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.local import Local, LocalWorker
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import BenchmarkProgress, bench_bundle, measure
from pocketlens.bench.selection import Selection
from pocketlens.errors import InputError
from tests.bench.cases import QUICK

Make = Callable[..., BenchmarkCase]


class Watched(Local):
    """The local device, remembering its workers so that a test can harm them."""

    def __init__(self) -> None:
        self.workers: list[LocalWorker] = []

    def start(self) -> LocalWorker:
        self.workers.append(super().start())
        return self.workers[-1]

    @property
    def all_gone(self) -> bool:
        return all(worker.channel.process.poll() is not None for worker in self.workers)


def harm(
    device: Watched, which: int, number: signal.Signals, stage: str = "measure"
) -> Callable[[BenchmarkProgress], None]:
    def listen(progress: BenchmarkProgress) -> None:
        if progress.stage == stage and device.workers[which].channel.process.poll() is None:
            os.kill(device.workers[which].channel.process.pid, number)

    return listen


def test_two_runtimes_side_by_side(make_case: Make, tmp_path: Path) -> None:
    heard: list[BenchmarkProgress] = []
    device = Watched()
    document = measure([make_case(), make_case("openvino")], QUICK, heard.append, device)
    for result in document.results:
        assert result.failure is None and result.skipped is None
        assert result.check is not None and result.check.psnr >= 50
        assert result.timing is not None and result.memory is not None
        assert result.timing.load_ms > 0 and result.timing.first_ms > 0 and result.timing.warmup_count >= 3
        samples, inferences = statistics.frames(result.blocks), statistics.inferences(result.blocks)
        assert len(samples) >= QUICK.count and samples.sum() >= 1000 * QUICK.seconds
        assert all(len(block.frame_ms) >= QUICK.block_count for block in result.blocks)
        assert (inferences < samples).all()
        assert 10 < result.memory.baseline_mb < result.memory.peak_mb
        assert result.runtime.version and result.effective.compute_precision == "fp32"
        assert result.artifact.bytes > 0 and result.artifact.size == (64, 64)
    first, second = document.results
    assert first.picture == second.picture
    # In turns: no round of one lies outside the other's, but for the first and the last.
    ends = sorted((block.at_s, i) for i, result in enumerate(document.results) for block in result.blocks)
    assert {i for _, i in ends[:2]} == {0, 1}
    assert document.environment.host.packages["onnxruntime"] == first.runtime.version
    stages = [block.stage for block in heard]
    assert stages[:4] == ["load", "load", "warm up", "warm up"] and set(stages[4:]) == {"measure"}
    shares = [block.share for block in heard]
    assert shares == sorted(shares) and shares[0] == 0
    assert device.all_gone
    assert Document.from_json(document.to_json()) == document


def test_a_wrong_picture_is_a_failure_and_never_timed(make_case: Make) -> None:
    swapped = make_case(artifact="swapped", expected=np.ascontiguousarray(make_case().expected[:, :, ::-1]))
    document = measure([swapped, make_case()], QUICK)
    wrong, right = document.results
    assert wrong.timing is None and wrong.failure is not None and "the picture is wrong" in wrong.failure
    assert wrong.check is not None and not wrong.check.holds
    assert right.failure is None and right.blocks
    assert judge(wrong, PerformanceBudget.of(fps=1))[0].verdict == "fail"


def test_without_an_expected_picture_nothing_is_checked(make_case: Make) -> None:
    (result,) = measure([make_case(expected=None)], QUICK).results
    assert result.check is None and result.blocks


def test_a_crash_loses_only_its_own_subject_and_keeps_what_it_had(make_case: Make) -> None:
    device = Watched()
    several = replace(QUICK, seconds=0.3)
    listen = harm(device, 0, signal.SIGKILL)

    def later(progress: BenchmarkProgress) -> None:
        if progress.share > 0.3:
            listen(progress)

    crashed, whole = measure([make_case(), make_case("openvino")], several, later, device).results
    assert crashed.failure is not None and "SIGKILL" in crashed.failure
    assert crashed.blocks and statistics.frames(crashed.blocks).sum() < 300
    assert whole.failure is None and statistics.frames(whole.blocks).sum() >= 300
    assert device.all_gone


def test_a_hung_worker_loses_only_its_own_subject(make_case: Make) -> None:
    device = Watched()
    impatient = replace(QUICK, answer_seconds=5)
    listen = harm(device, 1, signal.SIGSTOP)
    whole, hung = measure([make_case(), make_case("openvino")], impatient, listen, device).results
    assert hung.failure is not None and "no answer to 'play' within 5" in hung.failure
    assert whole.failure is None and whole.blocks
    assert device.all_gone


def test_a_damaged_artifact_loses_only_its_own_subject(make_case: Make, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(make_case().path.read_bytes()[:2000])
    broken, whole = measure([make_case(artifact="damaged", path=damaged), make_case()], QUICK).results
    assert broken.failure is not None and "is not a readable ONNX model" in broken.failure
    assert whole.failure is None


def test_a_picture_of_another_size_is_refused(make_case: Make) -> None:
    (result,) = measure([make_case(picture=np.zeros((32, 48, 3), np.uint8))], QUICK).results
    assert result.failure == "the artifact computes at 64 x 64, the picture is 32 x 48"


def test_an_expected_picture_of_another_size_is_refused(make_case: Make) -> None:
    (result,) = measure([make_case(expected=np.zeros((32, 48, 3), np.uint8))], QUICK).results
    assert result.failure is not None and "expected one [32, 48, 3]" in result.failure


def test_interpreted_artifacts_only_get_their_size(make_case: Make, tmp_path: Path) -> None:
    package = tmp_path / "small.mlpackage"
    package.mkdir()
    (package / "weights.bin").write_bytes(bytes(1234))
    (result,) = measure(
        [make_case(artifact="coreml-fp16", path=package, target="coreml", runtime="mil")], QUICK
    ).results
    assert (result.runtime.interpreted, result.timing, result.failure, result.artifact.bytes) == (
        True,
        None,
        None,
        1234,
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs on macOS")
def test_a_runtime_that_is_not_here_is_skipped_not_failed(make_case: Make, tmp_path: Path) -> None:
    package = tmp_path / "small.mlpackage"
    package.mkdir()
    (result,) = measure(
        [make_case(artifact="coreml-fp16", path=package, target="coreml", runtime="coreml")], QUICK
    ).results
    assert result.failure is None and result.skipped is not None and "macOS" in result.skipped


def test_the_limit_on_time_ends_a_slow_subject(make_case: Make) -> None:
    endless = replace(QUICK, seconds=1e9, max_seconds=0.05)
    (result,) = measure([make_case()], endless).results
    assert statistics.frames(result.blocks).sum() >= 50 and result.failure is None


def test_bad_subjects_are_refused_before_anything_starts(make_case: Make) -> None:
    device = Watched()
    for wrong, named in (
        ([], "nothing to measure"),
        ([make_case(), make_case()], "listed twice"),
        ([make_case(runtime="tensorrt")], "no runtime 'tensorrt'"),
        ([make_case(path=Path("absent.onnx"))], "does not exist"),
        ([make_case(picture=np.zeros((64, 64), np.uint8))], "expected uint8"),
        ([make_case(threads=0)], "threads"),
    ):
        with pytest.raises(InputError, match=named):
            measure(wrong, QUICK, device=device)
    assert not device.workers


def test_the_parents_memory_is_not_counted(make_case: Make) -> None:
    held = np.ones(60_000_000)  # 480 MB, resident
    (result,) = measure([make_case()], QUICK).results
    assert result.memory is not None and held[0] == 1
    assert result.memory.baseline_mb < 200 and result.memory.peak_mb < 400


def test_a_module_in_the_current_folder_is_not_run(
    make_case: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    monkeypatch.chdir(tmp_path)
    (result,) = measure([make_case()], QUICK).results
    assert result.failure is None and not (tmp_path / "ran").exists()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see whether a process is alive")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_asker(make_case: Make, tmp_path: Path, number: signal.Signals) -> None:
    case = make_case()
    script = textwrap.dedent(f"""
        import json, numpy as np
        from pathlib import Path
        from pocketlens.bench.case import BenchmarkCase
        from pocketlens.bench.measure import measure
        from pocketlens.bench.devices.local import Local
        from pocketlens.bench.document import BenchmarkSettings
        pids = []
        class Watched(Local):
            def start(self):
                worker = super().start()
                pids.append(worker.channel.process.pid)
                return worker
        def listen(progress):
            if progress.stage == "measure":
                Path({str(tmp_path / "part")!r}).write_text(json.dumps(pids))
                Path({str(tmp_path / "part")!r}).rename({str(tmp_path / "pids")!r})
        picture = np.zeros((64, 64, 3), np.uint8)
        path = Path({str(case.path)!r})
        cases = [BenchmarkCase(str(i), path, "onnx", "fp32", "onnxruntime", picture) for i in range(2)]
        measure(cases, BenchmarkSettings(seconds=60, warm_seconds=0.1, block_seconds=1), listen, Watched())
    """)
    asker = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: (tmp_path / "pids").exists() or asker.poll() is not None)
        pids = json.loads((tmp_path / "pids").read_text())
        assert len(pids) == 2 and all(map(alive, pids))
        asker.send_signal(number)
        _, complaints = asker.communicate(timeout=60)
        assert ("KeyboardInterrupt" in complaints) == (number == signal.SIGINT)
        wait_for(lambda: not any(map(alive, pids)))
    finally:
        asker.kill()
        asker.wait()


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_device_that_measures_needs_nothing_that_builds() -> None:
    modules = "measure, worker, statistics, document, budget, environment"
    heavy = (
        "torch",
        "onnx",
        "onnx_ir",
        "pydantic",
        "jinja2",
        "matplotlib",
        "skimage",
        "scipy",
        "psutil",
        "coremltools",
    )
    script = f"import sys; from pocketlens.bench import {modules}; print([m for m in {heavy} if m in sys.modules])"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_runtimes_send_no_telemetry_while_they_are_timed(make_case: Make) -> None:
    device = Watched()
    opened: list[str] = []

    def listen(progress: BenchmarkProgress) -> None:
        if progress.stage == "measure":
            for worker in device.workers:
                folder = Path(f"/proc/{worker.channel.process.pid}/fd")
                opened.extend(str(link.readlink()) for link in folder.iterdir() if link.is_symlink())

    measure([make_case(), make_case("openvino")], QUICK, listen, device)
    assert opened or not Path("/proc/self/fd").exists()
    assert not [name for name in opened if "DeveloperTools" in name or "socket" in name]


def test_default_settings_are_short() -> None:
    assert BenchmarkSettings().seconds <= 2 and BenchmarkSettings().count <= 50


def labels(document: Document) -> list[str]:
    return [result.label for result in document.results]


def test_a_zip_is_measured_against_its_golden_pictures(zipped: Path) -> None:
    document = bench_bundle(zipped, Selection(threads=(1,)), settings=QUICK)
    assert labels(document) == [
        "onnx-fp32-48x64 in onnxruntime, 1 thread",
        "openvino-fp32-48x64 in openvino, 1 thread",
    ]
    for result in document.results:
        assert result.failure is None and result.blocks and result.artifact.size == (48, 64)
        assert result.check is not None and result.check.psnr >= result.check.limit == 45


def test_an_altered_artifact_is_refused(bundle: Path) -> None:
    artifact = next((bundle / "artifacts").glob("*.onnx"))
    artifact.write_bytes(artifact.read_bytes() + b"\0")
    with pytest.raises(InputError, match="not the file that was verified"):
        bench_bundle(bundle, settings=QUICK)
