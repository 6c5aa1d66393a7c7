"""The id of a request reaches the worker: through a real broker and a real worker process."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import structlog
from celery import current_app
from django.conf import settings

from apps.core import correlation


@pytest.fixture
def worker(tmp_path):
    """A worker on the queue of this test, its log as a list of JSON lines."""
    queue = f"test-{uuid.uuid4().hex}"
    log = tmp_path / "worker.log"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "-P",
        "solo",
        "-Q",
        queue,
        "-I",
        "tests.core.worker_tasks",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--without-mingle", "--without-gossip", "-l", "INFO"],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.BASE_DIR,
            env={**os.environ, "REDIS_URL": settings.REDIS_URL, "LOG_LEVEL": "INFO"},
        )
    yield queue, log, process
    process.terminate()
    process.wait(15)


def json_lines(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def wait_for(log: Path, process, event: str) -> dict:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        for line in json_lines(log):
            if line["event"] == event:
                return line
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.mark.django_db
def test_the_request_s_id_is_in_the_worker_s_log_line(worker):
    queue, log, process = worker
    with structlog.contextvars.bound_contextvars(request_id="req-1", call_id=42, user_id=9):
        current_app.send_task("tests.say_hello", queue=queue)
    line = wait_for(log, process, "hello_said")
    assert (line["request_id"], line["call_id"], line["task"]) == ("req-1", 42, "tests.say_hello")
    assert "user_id" not in line


def test_a_task_that_beat_sends_gets_an_id_of_its_own():
    class Task:
        name = "core.beat_heartbeat"
        request = object()

    correlation._receive("4b3d-1", Task())
    assert structlog.contextvars.get_contextvars() == {"request_id": "4b3d1", "task": "core.beat_heartbeat"}
    correlation._forget()
    assert structlog.contextvars.get_contextvars() == {}
