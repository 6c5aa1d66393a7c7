"""What the media process costs per frame and per call, and what it adds in time, beside a bare relay.

The server runs as the Procfile says, on one core; phones and provider are another process on the other core. Everything
is on: signatures, one-time tokens, transcripts, usage, events, metrics and limits, with the journal writing to
PostgreSQL. With ``--provider gemini`` it is what transcoding costs, beside passing sound through: both over TLS, as
towards real providers. CPU is what the server's process used, all threads, by the kernel's count. Latencies mean
something on a machine with nothing else to do; on a busy one, `chrt -f 10 make bench` keeps other work from between.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.error import URLError

import django
import psutil
import uvloop
from django.core.management import call_command

from benchmarks.gemini_wire import GeminiWire, QuietPhone
from benchmarks.media_wire import Phone, Wire, percentile, twilio_signature
from config.run import certificates

ROOT = Path(__file__).resolve().parents[1]
FRAMES_PER_S = 100  # fifty each way
SERVERS = {"openai": ["relay", "media"], "gemini": ["media-tls", "gemini"]}


@dataclass(frozen=True, slots=True)
class Result:
    """cpu_ms: per call and second. Latencies in ms. memory_kb: resident, per call."""

    server: str
    n_calls: int
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    lost: int
    memory_kb: float
    clear_p50_ms: float
    clear_p99_ms: float

    @property
    def frame_us(self) -> float:
        return self.cpu_ms * 1000 / FRAMES_PER_S


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    call_command("migrate", verbosity=0, interactive=False)
    _only_on_core(os.getpid(), 1)
    results: list[Result] = []
    for server in options.servers or SERVERS[options.provider]:
        for n_calls in options.calls:
            results.append(uvloop.run(_measure(server, n_calls, options)))
            _print([results[-1]], with_head=len(results) == 1)
    _print_ratios(results)
    return 1 if any(result.lost for result in results) else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks media")
    parser.add_argument("--calls", type=lambda text: [int(n) for n in text.split(",")], default=[20, 50, 75, 100])
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each measurement")
    parser.add_argument("--provider", choices=SERVERS, default="openai")
    parser.add_argument("--servers", type=lambda text: text.split(","), help="instead of the provider's usual ones")
    return parser.parse_args(list(arguments))


async def _measure(server: str, n_calls: int, options: argparse.Namespace) -> Result:
    wire = GeminiWire() if server == "gemini" else Wire()
    port, provider_port = _free_port(), _free_port()
    with contextlib.ExitStack() as stack:
        tls = stack.enter_context(_tls()) if server in ("media-tls", "gemini") else None
        provider = await wire.serve(provider_port, tls.server if tls is not None else None)
        start = _relay(port, provider_port) if server == "relay" else _media(port, provider_port, tls)
        process = stack.enter_context(start)
        await asyncio.to_thread(_wait_until_up, port, process)
        watched = psutil.Process(process.pid)
        make = {"relay": _relay_phones, "gemini": _gemini_phones}.get(server, _media_phones)
        warm = await asyncio.to_thread(make, 2, port, wire)
        await _connect(warm, port)
        await wire.talk(warm, for_s=2)
        for phone in warm:
            phone.stop()
        await asyncio.sleep(1)
        memory_before = watched.memory_info().rss
        phones = await asyncio.to_thread(make, n_calls, port, wire)
        await _connect(phones, port)
        await wire.talk(phones, for_s=3)
        gc.collect()
        gc.disable()
        wire.measured.reset()
        wire.measured.is_on = True
        before, began = watched.cpu_times(), time.perf_counter()
        every_minute = asyncio.create_task(_tell_memory(watched))
        await wire.talk(phones, for_s=options.seconds)
        every_minute.cancel()
        after, took = watched.cpu_times(), time.perf_counter() - began
        memory = watched.memory_info().rss
        await asyncio.sleep(0.2)
        wire.measured.is_on = False
        gc.enable()
        for phone in phones:
            phone.stop()
        await asyncio.sleep(1.5)
    provider.close()
    measured = wire.measured
    cpu_s = after.user + after.system - before.user - before.system
    latencies = measured.to_ai + measured.to_caller
    return Result(
        server=server,
        n_calls=n_calls,
        cpu_ms=cpu_s * 1000 / took / n_calls,
        p50_ms=percentile(latencies, 0.5) / 1e6,
        p99_ms=percentile(latencies, 0.99) / 1e6,
        lost=max(0, measured.n_sent - len(measured.to_ai)) + measured.n_lost_sockets,
        memory_kb=(memory - memory_before) / 1024 / n_calls,
        clear_p50_ms=percentile(measured.interruptions, 0.5) / 1e6,
        clear_p99_ms=percentile(measured.interruptions, 0.99) / 1e6,
    )


async def _tell_memory(watched: psutil.Process) -> None:
    """For a soak, such as ``--calls 100 --seconds 600``."""
    began = time.perf_counter()
    print(f"resident at the start: {watched.memory_info().rss / 2**20:.1f} MB", flush=True)
    while True:
        await asyncio.sleep(60)
        minutes = (time.perf_counter() - began) / 60
        print(f"resident after {minutes:.0f} min: {watched.memory_info().rss / 2**20:.1f} MB", flush=True)


# ── Servers ─────────────────────────────────────────────────────────────────────────────────────────────────
@contextlib.contextmanager
def _relay(port: int, provider_port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "benchmarks.media_relay", str(port), f"ws://127.0.0.1:{provider_port}/plain"]
    with _running(command, dict(os.environ)) as process:
        yield process


@dataclass(frozen=True, slots=True)
class Tls:
    """authority: a file that clients have to trust."""

    server: ssl.SSLContext
    authority: str


@contextlib.contextmanager
def _tls() -> Iterator[Tls]:
    pair = certificates.for_loopback()
    with tempfile.TemporaryDirectory() as directory:
        served, authority = Path(directory) / "served.pem", Path(directory) / "authority.pem"
        served.write_text(pair.served)
        authority.write_text(pair.authority)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(served)
        yield Tls(server, str(authority))


@contextlib.contextmanager
def _media(port: int, provider_port: int, tls: Tls | None) -> Iterator[subprocess.Popen[bytes]]:
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("media:"))
    environment = os.environ | {
        "BIND": "127.0.0.1",
        "MEDIA_PORT": str(port),
        "PUBLIC_MEDIA_ORIGIN": f"ws://127.0.0.1:{port}",
        "OPENAI_REALTIME_BASE": f"{'ws' if tls is None else 'wss'}://127.0.0.1:{provider_port}/v1",
        "GEMINI_API_BASE": f"https://127.0.0.1:{provider_port}",
        "GEMINI_API_KEY": "benchmark",
        "MEDIA_MAX_CALLS": "1000",
        "MEDIA_DRAIN_S": "0",
        "LOG_LEVEL": "WARNING",
        **({} if tls is None else {"SSL_CERT_FILE": tls.authority, "GEMINI_CA_FILE": tls.authority}),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    with _running(["sh", "-c", f"exec {line.removeprefix('media:')}"], environment) as process:
        yield process


@contextlib.contextmanager
def _running(command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        _only_on_core(process.pid, 0)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _only_on_core(pid: int, core: int) -> None:
    """Linux only; elsewhere the system decides, and the table says less."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


def _wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                return  # it speaks, if only to refuse a question that is no WebSocket
            time.sleep(0.1)
    raise RuntimeError("the server did not come up")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ── Phones ──────────────────────────────────────────────────────────────────────────────────────────────────
async def _connect(phones: Sequence[Phone], port: int) -> None:
    loop = asyncio.get_running_loop()
    for phone in phones:
        await loop.create_connection(lambda phone=phone: phone, "127.0.0.1", port)  # type: ignore[misc]  # typed by its use
        await phone.opened
    await asyncio.sleep(1)


def _relay_phones(n: int, port: int, wire: Wire) -> list[Phone]:
    return [_phone(f"CA{i:032x}", "/", port, wire, signature="", account="AC") for i in range(n)]


def _gemini_phones(n: int, port: int, wire: Wire) -> list[Phone]:
    return _media_phones(n, port, wire, provider="gemini", kind=QuietPhone)


def _media_phones(n: int, port: int, wire: Wire, *, provider: str = "openai", kind: type[Phone] = Phone) -> list[Phone]:
    """Calls in progress, as rows, and a phone for each."""
    from django.conf import settings
    from django.utils import timezone

    from apps.calls.models import Call, Leg, Number, Price, VirtualAgent
    from apps.calls.models.cost import Part
    from apps.contacts.models import Contact, ContactList

    for part in Part.values:
        Price.objects.get_or_create(
            service=provider,
            model="",
            part=part,
            valid_from=date(2026, 1, 1),
            defaults={"unit": "million_tokens", "amount": "4"},
        )
    run = secrets.token_hex(4)
    number, _ = Number.objects.get_or_create(e164="+13025550100", defaults={"carrier": "twilio"})
    agent, _ = VirtualAgent.objects.get_or_create(
        name=f"Benchmark {provider}",
        defaults={
            "provider": provider,
            "speaks_as": "Ada",
            "company": "Acme",
            "greeting": "Hello, an AI is speaking.",
            "instructions": "Echo.",
        },
    )
    people, _ = ContactList.objects.get_or_create(name=f"Benchmark {run}")
    phones = []
    for i in range(n):
        call_sid = f"CA{run}{i:024x}"
        contact = Contact.objects.create(
            contact_list=people,
            phone=f"+1302556{i:04d}",
            country="US",
            time_zone="America/New_York",
            zone_source="given",
            first_name=call_sid,
        )
        call = Call.objects.create(
            direction="outbound",
            number=number,
            contact=contact,
            virtual_agent=agent,
            language="en",
            remote_phone=contact.phone,
        )
        leg = Leg.objects.create(
            call=call,
            carrier="twilio",
            carrier_call_id=call_sid,
            from_number=number.e164,
            to_number=contact.phone,
            state="answered",
            answered_at=timezone.now(),
            media_token_expires_at=timezone.now() + timedelta(minutes=10),
        )
        path = f"/media/twilio/{leg.media_token}"
        signature = twilio_signature(f"ws://127.0.0.1:{port}{path}", settings.TWILIO_AUTH_TOKEN)
        phones.append((call_sid, path, signature))
    return [
        _phone(call_sid, path, port, wire, signature=signature, account=settings.TWILIO_ACCOUNT_SID, kind=kind)
        for call_sid, path, signature in phones
    ]


def _phone(
    call_sid: str, path: str, port: int, wire: Wire, *, signature: str, account: str, kind: type[Phone] = Phone
) -> Phone:
    return kind(
        url_path=path, host=f"127.0.0.1:{port}", signature=signature, call_sid=call_sid, account=account, wire=wire
    )


# ── What a person reads ─────────────────────────────────────────────────────────────────────────────────────
_HEAD = (
    f"{'server':<10}{'calls':>6}{'CPU/call-s':>12}{'CPU/frame':>11}{'calls/core':>12}{'added p50':>11}{'added p99':>11}"
    f"{'lost':>6}{'memory/call':>13}{'clear p50':>11}{'clear p99':>11}"
)


def _print(results: Sequence[Result], *, with_head: bool) -> None:
    if with_head:
        print(_HEAD)
    for r in results:
        clear = (
            f"{r.clear_p50_ms:>8.2f} ms{r.clear_p99_ms:>8.2f} ms"
            if r.clear_p50_ms == r.clear_p50_ms
            else f"{'–':>11}{'–':>11}"
        )
        print(
            f"{r.server:<10}{r.n_calls:>6}{r.cpu_ms:>9.2f} ms{r.frame_us:>8.1f} µs{1000 / r.cpu_ms:>12.0f}"
            f"{r.p50_ms:>8.2f} ms{r.p99_ms:>8.2f} ms{r.lost:>6}{r.memory_kb:>10.0f} kB{clear}",
            flush=True,
        )


def _print_ratios(results: Sequence[Result]) -> None:
    """Against the first server at the same number of calls."""
    first = {r.n_calls: r for r in results if r.server == results[0].server}
    for r in results:
        if r.server != results[0].server and (yardstick := first.get(r.n_calls)) is not None:
            print(
                f"{r.server} against {yardstick.server} at {r.n_calls} calls: CPU × {r.cpu_ms / yardstick.cpu_ms:.2f},"
                f" p50 × {r.p50_ms / yardstick.p50_ms:.2f}, p99 × {r.p99_ms / yardstick.p99_ms:.2f}"
            )


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
