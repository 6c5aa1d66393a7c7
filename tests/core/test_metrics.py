"""Metrics of several processes are read as one, from any of them."""

import os
import subprocess
import sys

from django.conf import settings
from prometheus_client import REGISTRY

from apps.core import metrics

COUNT = """
from apps.core.metrics import LOGINS, READY, exposition
LOGINS.labels("api", "ok").inc({n})
READY.labels("redis").set({n} % 2)
text = exposition()[0].decode()
print([line for line in text.splitlines() if line.startswith("callcentre_logins_total")])
"""


def run(directory, n: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(n=n)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_processes_that_share_a_directory_are_counted_together(tmp_path):
    assert 'result="ok",way="api"} 2.0' in run(tmp_path, 2)
    assert 'result="ok",way="api"} 5.0' in run(tmp_path, 3)


def test_one_process_alone_tells_its_own():
    before = metrics.LOGINS.labels("page", "ok")._value.get()
    metrics.LOGINS.labels("page", "ok").inc()
    body, content_type = metrics.exposition()
    assert f'callcentre_logins_total{{result="ok",way="page"}} {before + 1}' in body.decode()
    assert content_type.startswith("text/plain")


def test_names_and_labels_are_of_the_house():
    """Prefix, and nothing in a label that grows with calls or people."""
    ours = [family for family in REGISTRY.collect() if family.name.startswith("callcentre_")]
    assert len(ours) > 10
    endless = {"call_id", "phone", "user", "username", "campaign_id", "request_id"}
    for family in ours:
        for sample in family.samples:
            assert not endless & set(sample.labels), family.name
