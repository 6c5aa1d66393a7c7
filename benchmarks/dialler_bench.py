"""How fast the dialler claims and places, beside Celery's own no-op tasks, and how exactly it keeps a campaign's pace.

    python -m benchmarks dialler [--calls 600] [--seconds 12]

A worker with the settings of the Procfile, a database of its own, the real Twilio SDK, and on loopback a carrier that
takes every call at once. Needs DATABASE_URL and REDIS_URL (as ``make bench`` sets them).
"""

import argparse
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import requests

ROOT = Path(__file__).resolve().parents[1]
_PACES = (5, 20, 50)
_TARGET_SHARE = 0.25
_TARGET_PACE = 0.02
_REDIS_DB = 14
_N_NOOPS = 3000


def _most_within_a_second(times: Sequence[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(command: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _worker_command() -> list[str]:
    """As in the Procfile, with the benchmark's tasks beside the product's."""
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("worker:"))
    concurrency = os.environ.get("WORKER_CONCURRENCY", "16")
    words = shlex.split(line.split(":", 1)[1].replace("${WORKER_CONCURRENCY:-16}", concurrency))
    words[words.index("-A") + 1] = "benchmarks.dialler_worker"
    return [sys.executable, "-m", *words]


def _wait_for(what: str, is_there: Callable[[], object], *, timeout_s: float) -> float:
    """Poll a callable until it is true; seconds since the call. Ends the benchmark after timeout_s."""
    began = time.monotonic()
    while not is_there():
        if time.monotonic() - began > timeout_s:
            raise SystemExit(f"{what}: nothing after {timeout_s:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - began


def _daytime_zone() -> str:
    """Somewhere it is about one in the afternoon now, so that the calling hours hold without a way round them."""
    offset = 13 - datetime.now(UTC).hour
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


def _make_campaign(n: int, *, calls_per_second: float) -> int:
    from django.utils import timezone

    from apps.calls.models import Number, VirtualAgent
    from apps.campaigns import services
    from apps.campaigns.models import Campaign
    from apps.contacts.models import Channel, Consent, Contact, ContactList

    name = f"bench {time.time_ns()}"
    contact_list = ContactList.objects.create(name=name)
    first = Contact.objects.count()
    phones = [f"+1212{2_000_000 + first + i:07d}" for i in range(n)]
    Contact.objects.bulk_create(
        Contact(contact_list=contact_list, phone=phone, country="US", time_zone=_daytime_zone(), zone_source="given")
        for phone in phones
    )
    Consent.objects.bulk_create(
        Consent(phone=phone, channel=Channel.VOICE, is_written=True, source="bench", given_at=timezone.now())
        for phone in phones
    )
    agent, _ = VirtualAgent.objects.get_or_create(
        name="bench", defaults={"speaks_as": "Ada", "company": "Acme", "greeting": "Hello", "instructions": "Talk."}
    )
    number, _ = Number.objects.get_or_create(e164="+13025550100", defaults={"carrier": "twilio"})
    campaign = Campaign.objects.create(
        name=name,
        contact_list=contact_list,
        virtual_agent=agent,
        max_concurrent=32_000,
        calls_per_second=calls_per_second,
    )
    campaign.numbers.add(number)
    services.start(campaign_id=campaign.pk, by=None)
    return campaign.pk


def _cpu_s(worker: "subprocess.Popen[bytes]") -> float:
    used = psutil.Process(worker.pid).cpu_times()
    return float(used.user + used.system)


def _noop_rate(worker: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Tasks per second, and the worker's milliseconds of CPU for each."""
    from celery import current_app
    from django.core.cache import cache

    rates = []
    for n in (200, _N_NOOPS):  # the first one warms up
        cache.delete("bench:mark")
        began, cpu_s = time.monotonic(), _cpu_s(worker)
        current_app.send_task("bench.fan_out", args=[n])
        _wait_for("no-op tasks", lambda: cache.get("bench:mark"), timeout_s=120)
        rates.append((n / (time.monotonic() - began), (_cpu_s(worker) - cpu_s) / n * 1000))
    return rates[-1]


def _placement_rate(n: int, carrier: str, worker: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Calls per second from claim to the carrier's answer, and the worker's milliseconds of CPU for each."""
    from django.db.models import Q

    from apps.calls.models import Leg
    from apps.campaigns import services

    rates = []
    for calls in (50, n):
        requests.delete(carrier, timeout=10)
        campaign_id = _make_campaign(calls, calls_per_second=9999)
        began, cpu_s = time.monotonic(), _cpu_s(worker)
        mine = Q(call__attempt__campaign=campaign_id, carrier_call_id__isnull=False)
        _wait_for("placed calls", lambda: Leg.objects.filter(mine).count() == calls, timeout_s=55)  # noqa: B023 - waited for here
        rates.append((calls / (time.monotonic() - began), (_cpu_s(worker) - cpu_s) / calls * 1000))
        services.stop(campaign_id=campaign_id, by=None)
    return rates[-1]


def _pace(per_second: int, for_s: float, carrier: str) -> tuple[float, int]:
    """Calls per second that reached the carrier, and the most of them within any second."""
    from celery import current_app

    from apps.campaigns import services

    requests.delete(carrier, timeout=10)
    campaign_id = _make_campaign(round(per_second * (for_s + 5)), calls_per_second=per_second)
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        current_app.send_task("campaigns.run_dial_cycle", args=[campaign_id], expires=5)
        time.sleep(1)
    services.stop(campaign_id=campaign_id, by=None)
    times = sorted(requests.get(carrier, timeout=10).json())
    if len(times) < 2:
        raise SystemExit("the carrier was not asked")
    return (len(times) - 1) / (times[-1] - times[0]), _most_within_a_second(times)


@contextlib.contextmanager
def _own_database() -> Iterator[None]:
    """A fresh database and an empty Redis database of this run's own, in the environment and in Django."""
    url = urlsplit(os.environ["REDIS_URL"])
    os.environ["REDIS_URL"] = urlunsplit(url._replace(path=f"/{_REDIS_DB}"))
    import django

    django.setup()
    from django.db import connection
    from django_redis import get_redis_connection

    get_redis_connection("default").flushdb()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = "callcentre_benchmark"  # the suite's own may be in use
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    database = urlsplit(os.environ["DATABASE_URL"])
    os.environ["DATABASE_URL"] = urlunsplit(database._replace(path=f"/{name}"))
    try:
        yield
    finally:
        get_redis_connection("default").flushdb()
        connection.creation.destroy_test_db(before, verbosity=0)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=600, help="calls to claim and place as fast as possible")
    parser.add_argument("--seconds", type=float, default=12, help="how long each pace is watched")
    options = parser.parse_args(arguments)
    port = _free_port()
    carrier = f"http://127.0.0.1:{port}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ |= {"TWILIO_API_BASE": carrier, "TWILIO_ACCOUNT_SID": f"AC{1:032x}", "TWILIO_AUTH_TOKEN": "bench"}
    os.environ |= {"LOG_LEVEL": "WARNING"}
    for name in ("TWILIO_ACCOUNT_SID_FILE", "TWILIO_AUTH_TOKEN_FILE"):
        os.environ.pop(name, None)
    write = sys.stdout.write
    with _own_database():
        env = dict(os.environ)
        carrier_command = [sys.executable, "-m", "benchmarks.dialler_carrier", str(port)]
        with _process(carrier_command, env), _process(_worker_command(), env) as worker:
            noops, noop_ms = _noop_rate(worker)
            placed, placed_ms = _placement_rate(options.calls, carrier, worker)
            write(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
            write(f"Celery no-op tasks {noops:,.0f}/s, {noop_ms:.1f} ms CPU each\n")
            share = placed / noops
            write(f"claim + place      {placed:,.0f}/s, {placed_ms:.1f} ms CPU each\n")
            write(f"                   {share:.2f} of the no-op rate (target {_TARGET_SHARE})\n")
            is_good = share >= _TARGET_SHARE
            for per_second in _PACES:
                pace, most = _pace(per_second, options.seconds, carrier)
                off = pace / per_second - 1
                is_good = is_good and -_TARGET_PACE <= off <= 0.002 and most <= per_second
                write(f"pace {per_second:>3}/s         {pace:.2f}/s ({off:+.1%}), at most {most} in any second\n")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
