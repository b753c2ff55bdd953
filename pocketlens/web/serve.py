"""Serves a folder to browsers, on this machine alone unless told otherwise."""

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers without which browsers give WebAssembly no threads."""


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, with headers of the server's own; it logs nothing and lists no folders."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small answer waits 40 ms for the acknowledgement of the one before
    extensions_map = {  # noqa: RUF012  # as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".gz": "application/octet-stream",
        ".webmanifest": "application/manifest+json",
        ".json": "application/json",
    }

    def __init__(self, *arguments: Any, headers: dict[str, str], **more: Any) -> None:
        self._own_headers = headers
        super().__init__(*arguments, **more)

    def end_headers(self) -> None:
        for name, value in self._own_headers.items():
            self.send_header(name, value)
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server that is quiet about browsers that hang up, or that do not trust its certificate yet."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextmanager
def serve(folder: Path, *, isolated: bool = True) -> Iterator[str]:
    """Serve a folder on this machine while the block runs; yields its address.

    Args:
        folder: Its files.
        isolated: Send the headers of :data:`ISOLATION`; static hosts send none.
    """
    headers = {"Cache-Control": "no-store", **(ISOLATION if isolated else {})}
    handler = functools.partial(Handler, directory=str(folder), headers=headers)
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
