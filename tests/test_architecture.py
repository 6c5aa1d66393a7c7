"""The house keeps its shape: what import-linter cannot see is checked here."""

import ast
import re
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SOURCES = [path for folder in ("apps", "config") for path in sorted((ROOT / folder).rglob("*.py"))]


def _calls_of(name: str) -> list[tuple[Path, str]]:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.append((path, first.value))
    return found


def test_every_enqueued_task_exists():
    current_app.loader.import_default_modules()
    enqueued = _calls_of("enqueue")
    assert enqueued, "no enqueue() call found: the check looks at nothing"
    missing = [(str(path), task) for path, task in enqueued if task not in current_app.tasks]
    assert not missing


def test_every_scheduled_task_exists():
    current_app.loader.import_default_modules()
    missing = [
        entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values() if entry["task"] not in current_app.tasks
    ]
    assert not missing


def test_the_product_does_not_know_of_the_sandbox():
    """The sandbox meets the product on the wire only: no import, no branch, no setting that names it."""
    allowed = {ROOT / "apps" / "sandbox", ROOT / "config" / "run"}
    offenders = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if not any(home in path.parents for home in allowed)
        and re.search(r"(import|from)\s+apps\.sandbox|SANDBOX", path.read_text(encoding="utf-8"))
    ]
    assert offenders == []


@pytest.mark.parametrize("word", ["audioop"])
def test_sample_conversion_stays_in_one_file(word):
    home = {"apps/calls/media/audio.py"}
    users = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "sandbox" not in path.parts and re.search(rf"^\s*(import|from) {word}", path.read_text(), re.MULTILINE)
    }
    assert users <= home


def test_only_settings_read_the_environment():
    """config/settings (through config.env) and the launcher read it; pure code gets arguments."""
    allowed = ("config/env.py", "config/settings/", "config/run/", "apps/sandbox/", "config/celery.py", "config/asgi")
    offenders = [
        name
        for path in SOURCES
        if re.search(r"os\.(environ|getenv)", path.read_text(encoding="utf-8"))
        and not (name := str(path.relative_to(ROOT))).startswith(allowed)
    ]
    assert offenders == []


def test_migrations_use_no_code_of_the_apps():
    """Django itself writes ``import apps.x.y`` for a field's default; calling services or models is what we forbid."""
    offenders = [
        str(path)
        for path in SOURCES
        if path.parent.name == "migrations"
        and re.search(r"^from apps\.", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert offenders == []
