"""Serving the live pages on this machine, to browsers on this machine.

What is sent is what was made for the address; no file is. Only reading is answered, and only to who
calls this machine by its own name: a page of somebody else's whose name is made to lead here (DNS
rebinding) is refused.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import optuna

from mnist_sweep.errors import UserError
from mnist_sweep.passwords import without_password
from mnist_sweep.report.live.pages import address_of
from mnist_sweep.report.live.renewal import Renewal
from mnist_sweep.sweep.read_only import file_of, open_to_read
from mnist_sweep.sweep.study_record import of_storage
from mnist_sweep.text import printable

Forever = threading.Event  # of which nobody tells
HOST, PORT = "127.0.0.1", 8090
NAMES = (HOST, "localhost")  # by which a browser on this machine, or through ssh -L, calls it
MOST_NAME = 1000  # letters of a study's name in an address
HEADERS = {
    # The page itself names its scripts; this is what holds without it, and for all else.
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Handler(BaseHTTPRequestHandler):
    """An answer to a browser: the list at /, a study at /study?name=, how old each is at /news."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mnist_sweep", ""
    timeout = 60  # seconds that a connection may be idle

    def do_GET(self) -> None:
        """Answer, or refuse."""
        if self._host() not in NAMES:
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"call it http://{HOST}")
        try:
            address = urlsplit(self.path)
            asked = parse_qs(address.query, errors="surrogatepass", max_num_fields=1)
        except ValueError:  # UnicodeError is one
            return self._refuse(HTTPStatus.BAD_REQUEST, "that is no address")
        name = asked.get("name", [None])[0]
        wanted = {"/": name is None, "/study": name is not None, "/news": True}
        if not wanted.get(address.path) or len(name or "") > MOST_NAME:
            return self._refuse(HTTPStatus.NOT_FOUND, "there is no such page: / has all studies")
        shown = self.server.renewal.shown(name)
        if address.path == "/news":
            news = {"version": shown.version, "line": shown.line, "trouble": shown.trouble}
            return self._send(HTTPStatus.OK, "application/json", json.dumps(news))
        return self._send(HTTPStatus.OK, "text/html; charset=utf-8", shown.sent)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the page."""
        self.do_GET()

    def parse_request(self) -> bool:
        """Read what is asked; refuse what would change something."""
        if not super().parse_request():
            return False
        if self.command in ("GET", "HEAD"):
            return True
        self.close_connection = True  # what it sends is not read
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "pages are only read", {"Allow": "GET, HEAD"})
        return False

    def _host(self) -> str | None:
        """Return by what name it was called, without the port: ssh -L has another there."""
        try:
            return urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            return None

    def _refuse(self, status: HTTPStatus, why: str, more: dict[str, str] | None = None) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{why}\n", more)

    def _send(
        self, status: HTTPStatus, kind: str, text: str, more: dict[str, str] | None = None
    ) -> None:
        body = text.encode("utf-8", "replace")  # names may have what UTF-8 has not
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **HEADERS,
            **(more or {}),
        }
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the terminal is the sweep's reader's."""


class Server(ThreadingHTTPServer):
    """A server of one storage's pages, on this machine alone."""

    daemon_threads = True

    def __init__(self, port: int, renewal: Renewal) -> None:
        self.renewal = renewal
        super().__init__((HOST, port), Handler)

    def server_bind(self) -> None:
        """Bind, without asking anybody how the address is called."""
        super(ThreadingHTTPServer, self).server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that has gone; anything else is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


@contextmanager
def serving(address: str, port: int) -> Iterator[Server]:
    """Yield a server whose pages are renewed; it serves until the block ends, from a thread.

    Raises UserError for a port that cannot be used.
    """
    renewal = Renewal(address)
    try:
        server = Server(port, renewal)
    except (OSError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(
            f"port={port} of {HOST} cannot be used ({said}); choose another port"
        ) from error
    threads = [
        threading.Thread(target=target, daemon=True, name=name)
        for target, name in ((renewal.run, "renewal"), (server.serve_forever, "server"))
    ]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        renewal.close()
        server.shutdown()
        server.server_close()


def serve(address: str, study: str | None, port: int) -> None:
    """Serve until Ctrl-C the page of a study, and of all others; say where it is.

    Raises what interrupts it, KeyboardInterrupt or Terminated.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file_of(address)  # what is no address at all never becomes one
    with serving(address, port) as server:
        here = f"http://{HOST}:{server.server_address[1]}{address_of(study)}"
        what = "all studies" if study is None else f"study {printable(study)}"
        print(f"{what} of {without_password(address)}, renewed while a sweep runs")
        if study is not None and (said := _why_not_yet(address, study)):
            print(f"{printable(said)}: the page waits for it")
        print(f"report: {here} (open it in a browser; Ctrl-C ends it)", flush=True)
        try:
            Forever().wait()
        except KeyboardInterrupt:
            print()
            raise  # the exit code says by what it ended


def _why_not_yet(address: str, study: str) -> str | None:
    """Return why there is no such study to show; None where there is one."""
    try:
        of_storage(study, address, open_to_read(address))
    except UserError as error:
        return str(error)
    except Exception:  # of other people's values, which its page tells of
        return None
    return None
