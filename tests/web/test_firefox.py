"""The page in Debian's Firefox, which has no WebGPU: it plays with threads, and once more when the server is gone."""

from pathlib import Path

from pocketlens.web.serve import serve
from tests.web import firefox
from tests.web.pages import READ, READY, golden, near, pixels, until


def test_it_plays_and_plays_offline(bundle: Path) -> None:
    _, after = golden(bundle)
    with firefox.start() as fox:

        def text(identity: str) -> str:
            return str(fox.evaluate(f"document.getElementById('{identity}').textContent"))

        def plays() -> None:
            """With threads, or with one where Firefox started none in time, which is said."""
            late = "its runtime does not start" in text("attempts")
            backend = "WebAssembly, one thread" if late else "WebAssembly with threads"
            assert f"{backend}, w8" in text("status")
            until(lambda: pixels(fox.evaluate(READ)), near(after))

        with serve(bundle / "web", isolated=False) as address:  # the service worker isolates the page
            fox.open(address)
            fox.wait(READY)
            assert text("problem") == "" and text("attempts").startswith("WebGPU: this browser has no WebGPU.")
            plays()
            fox.evaluate("document.body.dataset.ready = ''")
        fox.evaluate("setTimeout(() => location.reload())")
        fox.wait("document.body.dataset.ready")
        plays()
