"""As much of S3 as the storage uses, on loopback: objects by path, put, got whole or in pieces, looked at, deleted."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class S3Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def do_PUT(self) -> None:
        body = self._body()
        self.server.objects[self._key()] = body
        self._answer(200)

    def do_HEAD(self) -> None:
        self._give(with_body=False)

    def do_GET(self) -> None:
        self._give(with_body=True)

    def do_DELETE(self) -> None:
        self.server.objects.pop(self._key(), None)
        self._answer(204)

    def log_message(self, *_: object) -> None: ...

    def _key(self) -> str:
        path = self.path.split("?")[0]
        self.server.requests.append((self.command, path, {k.lower(): v for k, v in self.headers.items()}))
        return path

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        else:
            body = b""
            while n := int(self.rfile.readline(), 16):
                body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        return _unchunked(body) if "aws-chunked" in self.headers.get("Content-Encoding", "") else body

    def _give(self, *, with_body: bool) -> None:
        data = self.server.objects.get(self._key())
        if data is None:
            body = b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
            self._answer(404, body if with_body else b"", {"Content-Type": "application/xml"})
            return
        headers = {"ETag": '"e"', "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if found is None:
            self._answer(200, data, headers, with_body=with_body)
            return
        piece = data[int(found[1]) : int(found[2]) + 1]
        headers["Content-Range"] = f"bytes {found[1]}-{int(found[1]) + len(piece) - 1}/{len(data)}"
        self._answer(206, piece, headers, with_body=with_body)

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, with_body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _unchunked(body: bytes) -> bytes:
    """S3's own chunks: length in hex, perhaps a signature, the data; a trailer of checksums at the end."""
    data = b""
    while body:
        head, _, rest = body.partition(b"\r\n")
        n = int(head.split(b";")[0], 16)
        if not n:
            break
        data, body = data + rest[:n], rest[n + 2 :]
    return data


@contextmanager
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)
