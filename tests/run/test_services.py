"""The embedded servers really start, keep their data, and survive what people do to them."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import psycopg
import pytest
import redis

from config.run import checks, pidfile, services
from config.run.layout import Layout
from config.run.problem import Problem


@pytest.fixture
def bare(monkeypatch):
    """No server named by the environment."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def _process(layout, name):
    return pidfile.left_over(layout.pids / f"{name}.json")


def _ask(url, query):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def test_both_start_keep_their_data_and_stop(layout, bare):
    with checks.only_one(layout.lock), services.running(layout) as (endpoints, servers):
        assert _ask(endpoints.database_url, "SHOW fsync") == "on"
        assert int(_ask(endpoints.database_url, "SHOW max_connections")) == 200
        with psycopg.connect(endpoints.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE note (text text)")
            connection.execute("INSERT INTO note VALUES ('kept')")
        with redis.Redis.from_url(endpoints.redis_url) as client:
            client.set("revoked-token", "1")
        assert services.known_endpoints(layout) == endpoints
        assert [server.name for server in servers] == ["PostgreSQL", "Redis"]
        processes = [process for name in ("postgres", "redis") if (process := _process(layout, name))]
        assert len(processes) == 2
        if os.geteuid() == 0:
            assert processes[0].uids().effective != 0, "PostgreSQL never runs as root"

    assert not [process for process in processes if process.is_running()]
    assert list(layout.pids.iterdir()) == []
    assert services.known_endpoints(layout) is None

    with services.running(layout) as (endpoints, _servers):
        assert _ask(endpoints.database_url, "SELECT text FROM note") == "kept"
        with redis.Redis.from_url(endpoints.redis_url) as client:
            assert client.get("revoked-token") == b"1"


def test_strangers_on_the_machine_do_not_get_in(layout, bare):
    with services.running(layout, durable=False) as (endpoints, _servers):
        without_password = endpoints.database_url.split("@")[1]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://callcentre@{without_password}")
        with (
            pytest.raises(redis.AuthenticationError),
            redis.Redis.from_url(f"redis://{endpoints.redis_url.split('@')[1]}") as client,
        ):
            client.ping()


def test_given_urls_replace_the_servers(layout, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    with services.running(layout) as (endpoints, servers):
        assert endpoints == services.Endpoints("postgresql://elsewhere/x", "redis://elsewhere/0")
        assert servers == []


def test_what_a_killed_run_left_is_ended_and_recovered(layout, bare):
    code = (
        "import sys, time, pathlib; from config.run import services; from config.run.layout import Layout\n"
        "with services.running(Layout(pathlib.Path(sys.argv[1]))) as (endpoints, _):\n"
        "    print(endpoints.database_url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(layout.var)], stdout=subprocess.PIPE, text=True) as killed:
        url = killed.stdout.readline().strip()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE note AS SELECT 'committed' AS text")
        orphans = [child.pid for child in psutil.Process(killed.pid).children()]
        killed.send_signal(signal.SIGKILL)
    assert len(orphans) == 2
    assert all(psutil.pid_exists(pid) for pid in orphans), "the servers outlive a killed run"
    assert layout.endpoints.exists()
    assert services.known_endpoints(layout) is None, "which is no run that others could use"

    with services.running(layout) as (endpoints, _servers):
        assert _ask(endpoints.database_url, "SELECT text FROM note") == "committed"
        assert not any(psutil.pid_exists(pid) and psutil.Process(pid).is_running() for pid in orphans)


def test_a_stale_lock_with_a_living_strangers_pid_is_no_obstacle(layout, bare):
    postgres = services.Postgres(layout, durable=False)
    postgres.start()
    postgres.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        lock = layout.var / "postgres" / "postmaster.pid"
        lock.write_text(f"{stranger.pid}\n{layout.var / 'postgres'}\n", encoding="utf-8")
        url = postgres.start()
        assert _ask(url, "SELECT 1") == 1
        postgres.stop()
        assert stranger.poll() is None, "a stranger's process is left alone"
        stranger.kill()


def test_a_half_made_cluster_is_made_again(layout, bare):
    half = layout.var / "postgres"
    half.mkdir()
    (half / "base").mkdir()
    (layout.var / "postgres.new").mkdir()
    postgres = services.Postgres(layout, durable=False)
    try:
        assert _ask(postgres.start(), "SELECT 1") == 1
    finally:
        postgres.stop()


def test_a_server_that_was_killed_comes_back_on_its_port(layout, bare):
    server = services.Redis(layout)
    url = server.start()
    try:
        with redis.Redis.from_url(url) as client:
            client.set("key", "value")
            client.execute_command("WAITAOF", 1, 0, 5000)
        _process(layout, "redis").kill()
        deadline = time.monotonic() + 5
        while server.exit_code() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.exit_code() == -signal.SIGKILL
        assert server.start() == url
        with redis.Redis.from_url(url) as client:
            assert client.get("key") == b"value"
    finally:
        server.stop()


def test_a_server_that_cannot_start_says_why(layout, bare, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(checks, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(Problem, match=r"The embedded PostgreSQL did not start: .*\(all of it: .*postgres.log\)"):
            services.Postgres(layout, durable=False).start()
    assert list(layout.pids.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as somebody else")
def test_root_may_keep_the_checkout_in_a_closed_directory(bare, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inside = Layout(closed / "var")
    postgres = services.Postgres(inside, durable=False)
    try:
        assert _ask(postgres.start(), "SELECT 1") == 1
        assert closed.stat().st_mode & 0o777 == 0o700, "nothing is opened to others for it"
    finally:
        postgres.stop()
