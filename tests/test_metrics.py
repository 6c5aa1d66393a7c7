"""Every metric of ours: named by convention, documented, and the dashboards and alerts use none that does not exist."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings
from prometheus_client import REGISTRY

import apps.calls.bridge.metrics
import apps.calls.bridge.recording_metrics
import apps.messaging.metrics  # noqa: F401 - as above: registered by being imported
from apps.core import metrics
from tests.factories.calls import make_leg

DOCS = Path(settings.BASE_DIR) / "docs"
OURS = sorted(
    {one for one in REGISTRY._collector_to_names if getattr(one, "_name", "").startswith(metrics.PREFIX)},
    key=lambda one: one._name,
)
# promtool's words: https://prometheus.io/docs/practices/naming/
NOT_BASE = {"ms", "msec", "milliseconds", "minutes", "hours", "days", "kb", "mb", "kilobytes", "megabytes", "percent"}
TYPES = {"counter", "gauge", "histogram", "summary"}


def full_name(metric) -> str:
    return metric._name + ("_total" if metric._type == "counter" else "")


def row(metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"| `{full_name(metric)}` | {metric._type} | {labels} | {metric._documentation} |"


def series() -> set[str]:
    """Every name that a query may use."""
    names = {full_name(metric) for metric in OURS}
    for metric in OURS:
        if metric._type == "histogram":
            names |= {f"{metric._name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return names


def test_there_are_enough_of_each_kind():
    kinds = [metric._type for metric in OURS]
    assert (kinds.count("counter") >= 6, kinds.count("histogram") >= 5, kinds.count("gauge") >= 6) == (True,) * 3
    assert [metric._name for metric in OURS if metric._name.endswith("_info")] == ["callcentre_build_info"]


@pytest.mark.parametrize("metric", OURS, ids=lambda metric: metric._name)
def test_names_follow_the_convention(metric):
    """What promtool's lint looks for, and that a gauge says how processes combine."""
    words = metric._name.split("_")
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric._name)
    assert metric._documentation.strip()
    assert not NOT_BASE & set(words)
    assert not TYPES & set(words)
    if metric._type != "counter":
        assert not metric._name.endswith(("_total", "_count", "_sum", "_bucket"))
    if metric._type == "histogram":
        assert metric._name.endswith("_seconds")
    if metric._type == "gauge":
        assert metric._multiprocess_mode != "all", "a series per process would grow with every restart"
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric._labelnames)


def test_the_table_in_the_documents_is_complete():
    written = [
        line for line in (DOCS / "metrics.md").read_text(encoding="utf-8").splitlines() if "`callcentre_" in line
    ]
    assert written == [row(metric) for metric in OURS]


@pytest.mark.parametrize("name", ["grafana/callcentre.json", "alerts.yml"])
def test_dashboards_and_alerts_use_what_exists(name):
    text = (DOCS / name).read_text(encoding="utf-8")
    used = set(re.findall(r"callcentre_\w+", text))
    assert len(used) > 8
    assert used - series() == set()
    if name.endswith(".json"):
        assert all(panel["targets"] for panel in json.loads(text)["panels"])


def test_the_version_is_the_projects():
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == metrics.VERSION


@pytest.mark.django_db
def test_what_is_measured_on_demand_is_measured(client):
    make_leg("ringing")
    text = client.get("/metrics").content.decode()
    assert 'callcentre_legs_live{state="ringing"} 1.0' in text
    assert re.search(r'callcentre_tasks_waiting\{queue="default"\} \d', text)
    assert re.search(r'callcentre_db_connections\{state="used"\} \d', text)
    assert "callcentre_build_info{" in text
