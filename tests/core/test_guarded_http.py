"""Requests to addresses that people typed in: only to where they may go, and never for longer than they may take."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address

import pytest

from apps.core import guarded_http
from apps.core.guarded_http import AddressRefused, NoAnswer, fetch, is_public
from tests.http_server import Server, say

HERE = ("127.0.0.1",)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def ask(url: str, *, method: str = "GET", timeout_s: float = 2, max_bytes: int = 1000, private=HERE, json=None):
    return fetch(
        method, url, headers={"X-Key": "1"}, json=json, timeout_s=timeout_s, max_bytes=max_bytes, private_hosts=private
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # metadata of most clouds
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1:a00:0:100:808:808",  # 10.0.0.1 within a network that translates so, whatever stands at the end
        "3fff::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo to 127.0.0.1
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_the_public_internet(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_public_internet(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "localhost",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ],
)
def test_no_spelling_of_this_machine_is_reached(server, host):
    port = server.http.server_port
    with pytest.raises((AddressRefused, NoAnswer)):
        ask(f"http://{host}:{port}/", private=())
    assert server.requests == []


def names(monkeypatch, *answers: list[str]) -> list[str]:
    """A name server that gives these answers, one after the other, the last one for ever."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host[0].isdigit():  # an address is its own answer
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(guarded_http.socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_inside_is_refused(server, monkeypatch):
    names(monkeypatch, ["127.0.0.1"])
    with pytest.raises(AddressRefused):
        ask(f"http://inside.example.com:{server.http.server_port}/", private=())
    assert server.requests == []


def test_one_inner_address_among_outer_ones_is_enough_to_refuse(monkeypatch):
    names(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(AddressRefused):
        ask("http://mixed.example.com/", private=())


def test_a_name_is_asked_for_once_so_the_second_answer_gains_nothing(server, monkeypatch):
    """DNS rebinding: first an address that passes, then one of ours. What passed is what is connected to."""
    asked = names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    answer = ask(f"http://rebind.example.com:{server.http.server_port}/", private=("rebind.example.com",))
    assert answer.status == 200
    assert asked == ["rebind.example.com"]
    assert server.requests[0][2]["Host"].startswith("rebind.example.com")


def test_even_a_host_of_ours_may_not_be_the_metadata_service(monkeypatch):
    names(monkeypatch, ["169.254.169.254"])
    with pytest.raises(AddressRefused):
        ask("http://erp.intranet/", private=("erp.intranet",))


def test_an_allowed_host_is_asked_with_headers_and_body(server):
    server.answer = lambda handler: say(handler, b'{"ok": true}', 201)
    answer = ask(f"{server.origin}/orders/7", method="POST", json={"n": 1})
    assert (answer.status, answer.content_type, answer.body) == (201, "application/json", b'{"ok": true}')
    [(method, path, headers, body)] = server.requests
    assert (method, path, body, headers["X-Key"]) == ("POST", "/orders/7", b'{"n":1}', "1")


def test_a_redirect_is_not_followed(server):
    server.answer = lambda handler: say(handler, b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    assert ask(server.origin).status == 302
    assert len(server.requests) == 1


def test_a_huge_answer_is_cut(server):
    server.answer = lambda handler: say(handler, b"x" * 5_000_000)
    answer = ask(server.origin, max_bytes=1000)
    assert (len(answer.body), answer.was_cut) == (1000, True)


def test_a_compressed_answer_is_not_opened(server):
    bomb = gzip.compress(b"0" * 10_000_000)
    server.answer = lambda handler: say(handler, bomb, Content_Encoding="gzip")
    with pytest.raises(NoAnswer, match="compressed"):
        ask(server.origin)


@pytest.mark.parametrize("slow_part", ["head", "body"])
def test_a_server_that_drips_is_left_at_the_limit(server, slow_part):
    def drip(handler: BaseHTTPRequestHandler) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
        if slow_part == "body":
            handler.wfile.write(head)
            head = b"x" * 1000
        for n in range(len(head)):
            handler.wfile.write(head[n : n + 1])
            handler.wfile.flush()
            time.sleep(0.05)

    server.answer = drip
    began = time.monotonic()
    with pytest.raises(NoAnswer) as told:
        ask(server.origin, timeout_s=0.4)
    assert time.monotonic() - began < 1.5
    assert told.value.was_sent


def test_a_server_that_says_nothing_may_have_acted(server):
    server.answer = lambda handler: time.sleep(1)
    with pytest.raises(NoAnswer) as told:
        ask(server.origin, method="POST", json={}, timeout_s=0.3)
    assert told.value.was_sent


def test_where_nobody_listens_nothing_was_done():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer) as told:
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert not told.value.was_sent


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(guarded_http.socket, "getaddrinfo", lambda *args, **kwargs: done.wait(5) and [])
    began = time.monotonic()
    with pytest.raises(NoAnswer) as told:
        ask("http://slow.example.com/", timeout_s=0.3)
    done.set()
    assert time.monotonic() - began < 1.5
    assert not told.value.was_sent


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00" * 500, b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50000]
)
def test_what_is_no_http_is_no_answer(server, garbage):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(garbage)
        handler.close_connection = True

    server.answer = answer
    with pytest.raises(NoAnswer):
        ask(server.origin)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1/", "http://", "//x"])
def test_other_schemes_reach_nothing(url):
    with pytest.raises((AddressRefused, NoAnswer)):
        ask(url, private=())


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert ask(server.origin).status == 200
