"""HTTP requests to addresses that people typed in. No Django here.

The address that is connected to is the one that was looked at: the name is resolved here, every address it has must be
one of the public Internet, and the connection goes to such an address and not to the name, so that a name server that
answers differently the second time gains nothing. No redirects, no proxies, no repeats; a limit on the whole duration,
however slowly the other side drips; a limit on the size, and no decompression.
"""

import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore
import httpx

Address = IPv4Address | IPv6Address

_CHUNK = 8_192
# Name servers may take their time, whatever we asked for; the request does not wait for them.
_RESOLVERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")
# Set apart for special uses; not every version of Python counts all of it as such. The second of IPv6 leads on to an
# IPv4 address of the network we are in, written anywhere into its bits.
_SPECIAL = tuple(
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "100.64.0.0/10"),
        *("3fff::/20", "64:ff9b:1::/48"),
    )
)
# Leads on to the IPv4 address in its last bits.
_NAT64 = ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """The host is, or leads to, an address that is not for us to reach. Nothing was sent."""


class NoAnswer(Exception):
    """No whole answer. was_sent: the other side may have acted all the same."""

    def __init__(self, why: str, *, was_sent: bool) -> None:
        super().__init__(why)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """body: at most as much as was asked for; was_cut: there was more."""

    status: int
    content_type: str
    body: bytes
    was_cut: bool
    took_ms: int


def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    json: object | None = None,
    timeout_s: float,
    max_bytes: int,
    private_hosts: Collection[str] = (),
) -> Answer:
    """One request, blocking for at most timeout_s in all. Raises AddressRefused, NoAnswer.

    private_hosts: names and addresses that may be private ones of ours.
    """
    began = time.monotonic()
    backend = _Backend(deadline=began + timeout_s, private_hosts=private_hosts)
    transport = _Transport(backend)
    given = {**headers, "Accept-Encoding": "identity"}
    try:
        with (
            httpx.Client(transport=transport, follow_redirects=False, trust_env=False, timeout=timeout_s) as client,
            client.stream(method, url, headers=given, json=json) as response,
        ):
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise NoAnswer("compressed though we asked for plain data", was_sent=True)
            body = bytearray()
            for chunk in response.iter_raw(_CHUNK):
                body += chunk
                if len(body) > max_bytes:
                    break
            return Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                body=bytes(body[:max_bytes]),
                was_cut=len(body) > max_bytes,
                took_ms=round((time.monotonic() - began) * 1000),
            )
    except httpx.HTTPError as error:
        raise NoAnswer(type(error).__name__, was_sent=backend.is_connected) from error
    except httpx.InvalidURL as error:
        raise AddressRefused("not a URL") from error


def is_public(address: Address) -> bool:
    """Whether an address lies in the public Internet, also where it only dresses another one up."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were looked at, and lets nothing wait beyond the deadline."""

    def __init__(self, *, deadline: float, private_hosts: Collection[str]) -> None:
        self._deadline = deadline
        self._private_hosts = {host.lower() for host in private_hosts}
        self._inner = httpcore.SyncBackend()
        self.is_connected = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        may_be_private = host.lower() in self._private_hosts
        for address in addresses:
            if not (is_public(address) or (may_be_private and not address.is_link_local)):
                raise AddressRefused(f"{host} is not a public address")
        last: Exception = httpcore.ConnectError("no address")
        for address in addresses[:4]:
            try:
                stream = self._inner.connect_tcp(str(address), port, timeout=_left(self._deadline))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
                continue
            self.is_connected = True
            return _Stream(stream, self._deadline)
        raise last

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise AddressRefused("no sockets of this machine")

    def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return [ip_address(host.strip("[]"))]
        except ValueError:
            pass
        asking = _RESOLVERS.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = asking.result(timeout=_left(self._deadline))
        except FutureTimeoutError as error:
            asking.cancel()
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("no such name") from error
        return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends by the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout=_left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout=_left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._inner.start_tls(ssl_context, server_hostname=server_hostname, timeout=_left(self._deadline)),
            self._deadline,
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Iterable[bytes], response: httpcore.Response) -> None:
        self._parts = parts
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._parts

    def close(self) -> None:
        self._response.close()


class _Transport(httpx.BaseTransport):
    """httpx over connections of ours."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(), max_connections=1, max_keepalive_connections=0, network_backend=backend
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        parts = response.stream
        assert isinstance(parts, Iterable)  # noqa: S101 - a synchronous pool gives a synchronous stream
        return httpx.Response(response.status, headers=response.headers, stream=_Body(parts, response))

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """What goes wrong below leaves as an error of httpx's, named after what it was."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        raise httpx.TransportError(type(error).__name__) from error
    except httpcore.UnsupportedProtocol as error:
        raise AddressRefused("only http and https") from error


def _left(deadline: float, error: type[Exception] = httpcore.ConnectTimeout) -> float:
    """Seconds until the deadline. Raises the error when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("out of time")
    return left


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
