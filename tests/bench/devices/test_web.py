"""A browser as a device: who may speak to it, and what it does when a phone does what phones do."""

import json
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from pocketlens import images
from pocketlens.bench.budget import PerformanceBudget, judge_all, overall
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices import web
from pocketlens.bench.devices.browser_facts import browser_host
from pocketlens.bench.devices.web import open_web
from pocketlens.bench.document import Document
from pocketlens.bench.errors import LostError
from pocketlens.bench.measure import measure
from pocketlens.bench.multi_device import open_devices
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes.adapter import Options
from pocketlens.web.chromium import Chromium
from pocketlens.web.link import MAX_BROWSERS, MAX_BYTES, MAX_FIRST_BYTES, MAX_PARTS, GoneError, Link
from tests.bench.cases import QUICK
from tests.bench.devices.browsers import browser_device, started
from tests.web.camera import FACE, write_clip
from tests.web.pages import allow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Headless Chromium as a phone with a camera, which it must be allowed to use."""
    clip = tmp_path_factory.mktemp("camera") / "face.y4m"
    write_clip(images.read(FACE), clip)
    with started(("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}")) as chromium:
        yield chromium


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


def post(url: str, document: object, **headers: str) -> dict:  # type: ignore[type-arg]
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        return dict(json.loads(answer.read()))


def code(url: str, document: object = None, **headers: str) -> int:
    try:
        if document is None:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return int(answer.status)
        post(url, document, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def told(session: str = "1-2", answers: tuple[dict[str, object], ...] = ()) -> dict[str, object]:
    return {"session": session, "host": {"agent": "test"}, "answers": list(answers)}


def test_nobody_without_the_word_reads_or_posts(link: Link) -> None:
    root = link.url.removesuffix(f"{link.token}/")
    assert [code(link.url + name) for name in ("", "device.js", "chain.js", "runtime/litert.js")] == [200] * 4
    for path in ("", "device.html", "device.js", "wrong/", f"{link.token}x/device.js", f"{link.token}/../device.js"):
        assert code(root + path) == 404, path
    for path in ("artifacts/x.tflite", "runtime/../link.py", "%2e%2e/link.py", "__init__.py", "runtime/LICENSES"):
        assert code(link.url + path) == 404, path
    assert code(f"{root}wrong/rpc", told()) == 404 and code(f"{link.url}other", told()) == 404
    assert not link.browsers


def test_what_is_no_answer_is_refused(link: Link) -> None:
    assert code(f"{link.url}rpc", b"[" * 100_000) == 400
    assert code(f"{link.url}rpc", {"session": "../x", "host": {}, "answers": []}) == 400
    assert code(f"{link.url}rpc", {"session": "1-2", "host": {}, "answers": [1]}) == 400
    with socket.create_connection(("localhost", link.port), timeout=10) as connection:
        head = f"POST /{link.token}/rpc HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert b"413" in connection.recv(100)
    assert not link.browsers


def test_commands_reach_the_browser_that_they_are_for(link: Link) -> None:
    given: dict[str, dict] = {}  # type: ignore[type-arg]

    def browse(session: str) -> None:
        command = post(f"{link.url}rpc", told(session))["commands"][0]
        given[session] = command
        answers = ({"id": command["id"] + 1000, "never": "asked"}, {"id": command["id"], "echo": command["word"]})
        post(f"{link.url}rpc", told(session, answers))

    threads = [threading.Thread(target=browse, args=(f"{i}-{i}",)) for i in range(2)]
    for thread in threads:
        thread.start()
    first, second = sorted(link.wait_for(2, 10))
    assert link.ask(second, {"word": "b"}, 10) == {"echo": "b"}
    assert link.ask(first, {"word": "a"}, 10) == {"echo": "a"}
    link.close()
    for thread in threads:
        thread.join(10)
    assert (given["0-0"]["word"], given["1-1"]["word"]) == ("a", "b")


def test_a_page_that_was_loaded_again_has_forgotten(link: Link) -> None:
    def browse() -> None:
        post(f"{link.url}rpc", told())
        post(f"{link.url}rpc", told())

    thread = threading.Thread(target=browse)
    thread.start()
    (session,) = link.wait_for(1, 10)
    with pytest.raises(GoneError, match="loaded again"):
        link.ask(session, {"do": "host"}, 10)
    with pytest.raises(GoneError, match="no answer"):
        link.ask(session, {"do": "host"}, 0.1)
    link.close()
    thread.join(10)


def test_names_that_are_no_device() -> None:
    for name in ("web:0", "web:17", "web:phone", "web:-1"):
        with pytest.raises(InputError, match="is no device"):
            open_web(name)
    with pytest.raises(InputError, match="web:"):
        open_devices("bluetooth:")


def test_no_phone_comes(monkeypatch: pytest.MonkeyPatch, lite: BenchmarkCase) -> None:
    monkeypatch.setattr(web, "_WAIT_SECONDS", 0.1)
    (device,) = open_web("web:localhost", announce=lambda text: None)
    with pytest.raises(MissingError, match="no browser has opened the page"):
        measure([lite], QUICK, device=device)


def test_an_invitation_over_https() -> None:
    pytest.importorskip("cryptography", reason="pip install 'pocketlens[web]'")
    pytest.importorskip("segno", reason="pip install 'pocketlens[web]'")
    said: list[str] = []
    first, second = open_web("web:2", announce=said.append)
    assert first.link is second.link and first.link.lan_url.startswith("https://") and first.link.lan_url in said[0]
    assert said[0].count("\n") > 15 and "adb reverse" in said[0]  # the code
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(first.link.lan_url, context=trusting, timeout=10) as answer:
        assert b"Pocketlens measures" in answer.read()
    first.close()
    with urllib.request.urlopen(first.link.lan_url, context=trusting, timeout=10) as answer:
        assert answer.status == 200
    second.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(first.link.lan_url, context=trusting, timeout=2)


def test_a_page_that_goes_away_and_comes_back(browser: Chromium, lite: BenchmarkCase) -> None:
    (device,) = open_web("web:localhost", announce=lambda text: None)
    page = browser.page(device.link.url)
    device.prepare(["litert"])
    assert device.name.startswith("web:") and "Linux" in device.name
    worker = device.start()
    loaded = worker.load(lite.path, "litert", Options(threads=1), 60)
    assert loaded.size == lite.picture.shape[:2] and loaded.effective.threads == 1
    page.open("about:blank")
    page.wait("location.href === 'about:blank'")
    with pytest.raises(LostError, match="no answer"):
        worker.first(lite.picture, lite.expected, 0.5)
    page.open(device.link.url)
    device.reconnect()
    again = device.start()
    again.load(lite.path, "litert", Options(threads=1), 60)
    first = again.first(lite.picture, lite.expected, 60)
    assert first.psnr is not None and first.psnr > 40
    device.close()


def test_what_a_hidden_page_played_is_dropped(
    browser: Chromium, lite: BenchmarkCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    (device,) = open_web("web:localhost", announce=lambda text: None)
    page = browser.page(device.link.url)
    device.prepare(["litert"])
    worker = device.start()
    worker.load(lite.path, "litert", Options(threads=1), 60)
    worker.first(lite.picture, lite.expected, 60)
    assert not device.snapshot().hidden

    def seen(yes: bool) -> None:
        page.evaluate(f"window.unseen = {str(not yes).lower()}; document.dispatchEvent(new Event('visibilitychange'))")

    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.unseen}); undefined")
    seen(False)
    assert not device.snapshot().screen_on
    with ThreadPoolExecutor(1) as pool:
        block = pool.submit(worker.play, 0.05, 3, 60)
        seen(True)
        assert len(block.result().frame_ms) >= 3
    after = device.snapshot()
    assert after.screen_on and after.hidden
    seen(False)
    monkeypatch.setattr(web, "_VISIBLE_SECONDS", 0.1)
    with pytest.raises(LostError, match="page is hidden"):
        worker.play(0.05, 3, 60)
    device.close()


def test_a_page_that_was_hidden_or_slowed_down_decides_nothing(browser: Chromium, lite: BenchmarkCase) -> None:
    budget = PerformanceBudget(frame_ms=10_000, size_mb=100)
    device = browser_device(browser)
    document = measure([lite], replace(QUICK, count=20), device=device)
    assert overall(judge_all(document, budget)) == "pass" and not document.doubt

    def after(**facts: object) -> Document:
        environment = document.environment
        changed = replace(environment, after=replace(environment.after, **facts))  # type: ignore[arg-type]
        return Document.from_json(replace(document, environment=changed).to_json())

    for spoiled, reason in ((after(hidden=True), "was hidden"), (after(throttled="slow"), "slowed down: slow")):
        time, size = judge_all(spoiled, budget)
        assert time.verdict == "unstable" and reason in time.reason and size.verdict == "pass"
        sustained = replace(spoiled, settings=replace(spoiled.settings, sustained=True))
        assert judge_all(sustained, budget)[0].verdict == ("unstable" if spoiled.environment.hidden else "pass")


def test_a_page_that_becomes_slower_is_noticed(browser: Chromium) -> None:
    (device,) = open_web("web:localhost", announce=lambda text: None)
    page = browser.page(device.link.url)
    device.prepare(["litert"])
    assert device.snapshot().throttled == ""
    # As if every cycle of the processor took ten times as long; other tests may have slowed the first look down.
    page.evaluate("(() => { const now = performance.now.bind(performance); performance.now = () => 10 * now(); })()")
    assert re.fullmatch(r"its page computes \d+\.\d times slower than at first", device.snapshot().throttled or "")
    device.close()


def test_from_the_camera_to_the_screen(browser: Chromium, lite: BenchmarkCase) -> None:
    (device,) = open_web("web:localhost", announce=lambda text: None)
    page = browser.page(device.link.url)
    page.wait("Boolean(document.getElementById('allow'))")
    allow(browser, device.link.url.removesuffix(f"{device.link.token}/"), "granted")
    page.evaluate("document.getElementById('allow').click()")
    page.wait("document.getElementById('allow').hidden", 30)
    (result,) = measure([lite], QUICK, device=device).results
    assert result.timing is not None and len(result.timing.camera_ms) > 10
    # A picture is as old as it takes to play it at least, and no older than a few seconds.
    quickest = min(min(block.inference_ms) for block in result.blocks)
    assert quickest < np.median(result.timing.camera_ms) < 5_000


def test_posts_that_no_page_makes(link: Link, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, f"{link.url}rpc", told())
        assert link.wait_for(1, 10) == ["1-2"]
        asked = threads.submit(link.ask, "1-2", {"do": "host"}, 20)
        (command,) = first.result()["commands"]
        answers = ({"id": [1]}, {"id": {}}, {"id": command["id"], "memory_gb": 10**400, "agent": "x"})
        last = threads.submit(post, f"{link.url}rpc", told(answers=answers))
        assert browser_host(asked.result()).memory_mb is None
        link.close()
        assert last.result() == {"end": True}
    assert capsys.readouterr().err == ""


def test_a_length_of_five_thousand_digits(link: Link, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", link.port), timeout=10) as client:
        client.sendall(f"POST /{link.token}/rpc HTTP/1.1\r\nContent-Length: {'9' * 5000}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")
    assert capsys.readouterr().err == ""


def test_posts_that_take_memory(link: Link) -> None:
    parts = b"[" + b"[]," * (MAX_PARTS // 2) + b"[]]"
    many = b'{"session": "1-2", "host": {}, "answers": [], "more": ' + parts + b"}"
    assert code(f"{link.url}rpc", many) == 400
    long = told() | {"host": {"agent": "a" * MAX_FIRST_BYTES}}
    assert code(f"{link.url}rpc", long) == 400 and link.browsers == {}
    halves: list[socket.socket] = []
    while code(f"{link.url}rpc", b"no JSON") == 400:  # until so many are half-way that no other is read
        halves.append(socket.create_connection(("127.0.0.1", link.port), timeout=10))
        halves[-1].sendall(f"POST /{link.token}/rpc HTTP/1.1\r\nContent-Length: {MAX_BYTES}\r\n\r\n{{".encode())
        assert len(halves) < 4 * MAX_BROWSERS
    assert len(halves) >= MAX_BROWSERS
    assert code(f"{link.url}rpc", told()) == 503
    for half in halves:
        half.close()
