"""What a process loads when it starts: memory and seconds that every one of its copies pays for."""

import json
import subprocess
import sys

import pytest
from django.conf import settings

# Packages of carriers and providers. Of Twilio's, the part that checks signatures and writes documents is small.
HEAVY = {"openai", "google.genai", "deepgram", "telnyx", "twilio.rest", "boto3", "botocore"}

_EVERY_ADDRESS = """
from django.urls import get_resolver
def walk(resolver):
    for entry in resolver.url_patterns:
        if hasattr(entry, "url_patterns"):
            walk(entry)
walk(get_resolver())
"""
_EVERY_TASK = """
import django
django.setup()
from config.celery import app
app.loader.import_default_modules()
assert any(name.startswith("calls.") for name in app.tasks)
"""


@pytest.mark.parametrize(
    ("process", "program"), [("web", f"import config.asgi\n{_EVERY_ADDRESS}"), ("worker", _EVERY_TASK)]
)
def test_no_process_loads_a_providers_package_before_it_needs_one(process, program):
    ask = f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, cwd=settings.BASE_DIR, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "apps.calls.services.reviews" in loaded, "the check looks at nothing"
    assert sorted(loaded & HEAVY) == []
