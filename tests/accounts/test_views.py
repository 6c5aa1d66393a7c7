"""Signing in and out on pages, and what a person sets for themselves."""

import json
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.sessions.models import Session
from django.test import override_settings
from django.urls import reverse

from apps.accounts.models import User
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def sign_in(client, username="alice", password=PASSWORD, **extra):
    return client.post(LOGIN, {"username": username, "password": password}, **extra)


def test_signing_in_and_out(client, alice):
    assert sign_in(client)["Location"] == "/"
    assert client.get("/api/v1/auth/me/").json()["username"] == "alice"
    assert client.post(reverse("accounts:logout"))["Location"] == LOGIN
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_signing_in_leads_back_but_never_elsewhere(client, alice):
    page = client.post(f"{LOGIN}?next=/calls/", {"username": "alice", "password": PASSWORD, "next": "/calls/"})
    assert page["Location"] == "/calls/"
    client.post(reverse("accounts:logout"))
    away = client.post(LOGIN, {"username": "alice", "password": PASSWORD, "next": "https://evil.example/"})
    assert away["Location"] == "/"


def test_a_session_gets_a_new_key_when_someone_signs_in(client, alice):
    client.get(LOGIN)
    session = client.session
    session["seen"] = 1
    session.save()
    before = session.session_key
    sign_in(client)
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


def test_a_session_outlives_the_loss_of_the_cache(client, alice):
    from django.core.cache import cache

    sign_in(client)
    cache.clear()
    assert client.get("/api/v1/auth/me/").status_code == 200


def test_a_deactivated_person_is_out_at_once(client, alice):
    sign_in(client)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_the_page_keeps_neither_password_nor_cookie_from_scripts(client, alice):
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_five_wrong_passwords_close_the_door_and_the_page_says_for_how_long(client, alice):
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        assert sign_in(client, password="wrong").status_code == 200
    page = sign_in(client, password="wrong")
    assert page.status_code == 429
    assert page.context["minutes"] == 15
    assert "15 minutes" in page.content.decode()
    assert sign_in(client).status_code == 429, "the right password does not help now"


def test_waiting_does_not_begin_anew_with_each_try(client, alice):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, password="wrong")
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=10))
    assert sign_in(client).context["minutes"] == 5
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=6))
    assert sign_in(client).status_code == 302


def test_others_are_not_locked_out_with_someone(client, alice, bob):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, password="wrong")
    assert sign_in(client, "bob").status_code == 302
    client.logout()
    assert sign_in(client, REMOTE_ADDR="203.0.113.5").status_code == 302, "from where nobody failed"


def test_a_made_up_address_does_not_help_a_guesser(client, alice):
    for attempt in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, password="wrong", headers={"X-Forwarded-For": f"10.0.0.{attempt}"})
    assert sign_in(client, headers={"X-Forwarded-For": "10.0.0.99"}).status_code == 429


def test_success_forgets_earlier_failures(client, alice):
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        sign_in(client, password="wrong")
    sign_in(client)
    client.logout()
    assert sign_in(client, password="wrong").status_code == 200


@pytest.mark.parametrize(("language", "greeting"), [("en", "en"), ("es", "es"), ("cs", "cs")])
def test_pages_come_in_the_language_of_the_person(client, alice, language, greeting):
    User.objects.filter(pk=alice.pk).update(language=language)
    sign_in(client)
    page = client.get(reverse("accounts:password_change"), headers={"accept-language": "de"})
    assert f'<html lang="{greeting}"' in page.content.decode()
    assert client.cookies["django_language"].value == language, "the next sign-in page is in it too"


def test_the_language_switch_is_remembered_with_the_person(client, alice):
    sign_in(client)
    response = client.post(reverse("set_language"), {"language": "cs", "next": "/calls/"})
    assert response["Location"] == "/calls/"
    assert User.objects.get(pk=alice.pk).language == "cs"


def test_the_language_switch_works_for_visitors_and_ignores_what_it_does_not_know(client, alice):
    client.post(reverse("set_language"), {"language": "es"})
    assert '<html lang="es"' in client.get(LOGIN).content.decode()
    sign_in(client)
    client.post(reverse("set_language"), {"language": "xx"})
    assert User.objects.get(pk=alice.pk).language == "en"


def test_colours_are_remembered_with_the_person_and_in_the_browser(client, alice):
    sign_in(client)
    response = client.post(reverse("accounts:theme"), {"theme": "dark", "next": "/calls/"})
    assert response["Location"] == "/calls/"
    assert response.cookies["theme"].value == "dark"
    assert User.objects.get(pk=alice.pk).theme == "dark"
    script = client.post(reverse("accounts:theme"), {"theme": "light"}, headers={"X-Requested-With": "fetch"})
    assert script.status_code == 204
    assert client.post(reverse("accounts:theme"), {"theme": "pink"}).status_code == 400
    assert User.objects.get(pk=alice.pk).theme == "light"


def test_the_theme_endpoint_sends_nobody_elsewhere(client):
    response = client.post(reverse("accounts:theme"), {"theme": "dark", "next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_a_new_password_ends_the_sessions_on_other_devices(client, alice):
    other = type(client)()
    sign_in(client)
    sign_in(other)
    new = "a-completely-new-passphrase"
    response = client.post(
        reverse("accounts:password_change"),
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )
    assert response["Location"] == reverse("accounts:password_change_done")
    assert client.get("/api/v1/auth/me/").status_code == 200
    assert other.get("/api/v1/auth/me/").status_code == 401


def test_passwords_are_kept_with_bcrypt():
    from config.settings import base

    with override_settings(PASSWORD_HASHERS=base.PASSWORD_HASHERS):
        assert identify_hasher(make_password("a-long-passphrase")).algorithm == "bcrypt_sha256"


def test_demo_logins_are_offered_only_where_a_file_names_them(client, settings, tmp_path):
    assert client.get(LOGIN).context["demo_people"] == []
    path = tmp_path / "demo.json"
    path.write_text(json.dumps({"alice": {"role": "supervisor", "password": "pw-of-the-demo"}}))
    settings.DEMO_LOGINS_FILE = str(path)
    assert "pw-of-the-demo" in client.get(LOGIN).content.decode()
