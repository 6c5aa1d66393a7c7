"""What browsers are told on every page: policy, framing, sniffing, cookies."""

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client

from tests.factories.accounts import PASSWORD

PAGES = ["/accounts/login/", "/admin/", "/api/docs/", "/api/v1/auth/me/", "/styleguide/", "/nothing/", "/live/"]


@pytest.fixture
def signed_in(client, admin) -> Client:
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.django_db
def test_every_answer_carries_the_strict_policy(signed_in, page):
    response = signed_in.get(page)
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "page",
    [
        "/admin/",
        "/admin/campaigns/campaign/",
        "/admin/campaigns/campaign/add/",
        "/admin/calls/virtualagent/add/",
        "/admin/calls/disposition/import/",
        "/admin/contacts/contactimport/add/",
        "/api/docs/",
        "/accounts/login/",
        "/accounts/password/",
    ],
)
@pytest.mark.django_db
def test_no_page_needs_what_the_policy_forbids(signed_in, page):
    """No script or style in the page itself, no handler in an attribute, nothing from another host."""
    html = signed_in.get(page).content.decode()
    inline = [tag for tag in re.findall(r"<script\b[^>]*>", html) if "src=" not in tag]
    assert [tag for tag in inline if "application/json" not in tag and "text/javascript" not in tag] == []
    assert re.findall(r"<style\b", html) == []
    assert re.findall(r"\sstyle\s*=", html) == []
    assert re.findall(r"\son[a-z]+\s*=\s*[\"']", html) == []
    assert re.findall(r"(?:src|href)=[\"'](?:https?:)?//[^\"']+", html) == []


@pytest.mark.django_db
def test_cookies_are_kept_from_scripts_and_other_sites(client, alice):
    client.get("/accounts/login/")
    assert client.cookies["csrftoken"]["samesite"] == "Lax"
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_with_a_page():
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/accounts/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


PRODUCTION = """
import django
from django.conf import settings
django.setup()
from django.test import Client

from tests.factories.accounts import PASSWORD
client = Client(raise_request_exception=False, headers={"host": "voice.example.com"})
plain = client.get("/accounts/login/")
assert (plain.status_code, plain["Location"]) == (301, "https://voice.example.com/accounts/login/"), plain
assert client.get("/healthz").status_code == 200
for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"):
    assert getattr(settings, name) is True, name
assert settings.SECURE_HSTS_SECONDS >= 31536000
assert settings.DEBUG is False
assert settings.STYLEGUIDE is False
assert settings.DEMO_LOGINS_FILE == ""
secure = client.get("/i18n/setlang/", headers={"X-Forwarded-Proto": "https"})
assert secure["Strict-Transport-Security"].startswith("max-age=31536000"), secure.headers
print("as it should be")
"""


def run_production(**environment: str) -> subprocess.CompletedProcess[str]:
    variables = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "VAR_DIR"}},
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PUBLIC_ORIGIN": "https://voice.example.com",
        "SECRET_KEY": "s" * 50,
        "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY,
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", PRODUCTION],
        env={name: value for name, value in variables.items() if value},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_is_https_only_with_secure_cookies():
    done = run_production(DEMO_LOGINS_FILE="/tmp/demo.json")
    assert "as it should be" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SIGNING_KEY", "DATABASE_URL", "REDIS_URL"])
def test_production_does_not_start_without_its_secrets(name):
    done = run_production(**{name: ""})
    assert done.returncode != 0
    assert f"{name} is not set" in done.stderr


def test_production_does_not_start_without_tls():
    done = run_production(PUBLIC_ORIGIN="http://voice.example.com")
    assert "PUBLIC_ORIGIN must start with https://" in done.stderr
