"""A trace in the browser, from a server that this machine alone can reach."""

import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from coat.errors import InputError

HOST = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(ThreadingHTTPServer):
    """A thread a request; a port that somebody else listens on is never shared, which Windows would allow."""

    allow_reuse_address = sys.platform != "win32"


def serve(trace: Path, port: int = 0, *, show: bool = False) -> None:
    """Serve the viewer of `trace` on 127.0.0.1 until Ctrl-C, and print its address; `show` opens the browser.

    Port 0 takes any that is free. The file is read anew for each request, so that a reload shows what it holds by then.

    Raises:
        InputError: the file is no trace, or the port cannot be had.
    """
    page_of(trace)
    server = make_server(lambda: page_of(trace), port)
    address = f"http://{HOST}:{server.server_port}/"
    sys.stdout.write(f"{trace} at {address} (Ctrl-C ends)\n")
    sys.stdout.flush()
    if show:
        webbrowser.open(address)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever(poll_interval=0.1)


def page_of(trace: Path) -> str:
    """The page of a trace as it is in its file now.

    Raises:
        InputError: the file is no trace.
    """
    from coat.trace import load
    from coat.viewer.data import view
    from coat.viewer.html import to_html

    return to_html(view(load(trace)[1]))


def make_server(page: Callable[[], str], port: int = 0) -> ThreadingHTTPServer:
    """A server of one page on 127.0.0.1, bound but not yet at work.

    A request must name 127.0.0.1 or localhost as its host: a name that a stranger's page let point here is refused.

    Raises:
        InputError: the port cannot be had.
    """

    class Handler(BaseHTTPRequestHandler):
        """One request for the page."""

        def do_GET(self) -> None:
            """Answer with the page, or with what is wrong in a sentence."""
            status, kind, text = _answer(self.path, self.headers.get("Host", ""), server.server_port, page)
            body = text.encode()
            self.send_response(status)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing of single requests."""

    try:
        server = Server((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise InputError(f"cannot serve on port {port}: {reason}; name another with --port, or leave it out") from error
    return server


def _answer(path: str, host: str, port: int, page: Callable[[], str]) -> tuple[HTTPStatus, str, str]:
    plain = "text/plain; charset=utf-8"
    if host not in (f"{HOST}:{port}", f"localhost:{port}"):
        return HTTPStatus.FORBIDDEN, plain, f"this server answers to http://{HOST}:{port}/ alone\n"
    if path.partition("?")[0] != "/":
        return HTTPStatus.NOT_FOUND, plain, f"there is nothing here but http://{HOST}:{port}/\n"
    try:
        return HTTPStatus.OK, "text/html; charset=utf-8", page()
    except InputError as error:
        return HTTPStatus.INTERNAL_SERVER_ERROR, plain, f"{error}\n"
