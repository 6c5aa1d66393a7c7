"""Log in, renew, log out by API; what is done to a person counts at once."""

import threading
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import services
from apps.accounts.models import Role, TokenFamily, User
from apps.accounts.tokens import ring
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db
TOKEN, REFRESH, REVOKE, ME = (
    "/api/v1/auth/token/",
    "/api/v1/auth/token/refresh/",
    "/api/v1/auth/token/revoke/",
    "/api/v1/auth/me/",
)


@pytest.fixture
def api():
    return APIClient()


def log_in(api, person, password=PASSWORD):
    return api.post(TOKEN, {"username": person.username, "password": password})


def bearer(access):
    return {"authorization": f"Bearer {access}"}


def who(api, access):
    return api.get(ME, headers=bearer(access))


def test_a_token_says_who_and_what_one_may_do(api, alice):
    pair = log_in(api, alice).json()
    me = who(api, pair["access"]).json()
    assert (me["username"], me["role"]) == ("alice", "supervisor")
    assert "live.view" in me["permissions"]
    assert "setup.edit" not in me["permissions"]
    assert pair["expires_in"] == settings.JWT_ACCESS_MINUTES * 60


def test_answers_with_tokens_are_not_stored_anywhere(api, alice):
    assert log_in(api, alice)["Cache-Control"] == "no-store"


def test_the_published_key_checks_a_token(api, alice):
    pair = log_in(api, alice).json()
    keys = jwt.PyJWKSet.from_dict(api.get("/api/jwks.json").json())
    kid = jwt.get_unverified_header(pair["access"])["kid"]
    claims = jwt.decode(pair["access"], keys[kid], algorithms=["EdDSA"], issuer=settings.PUBLIC_ORIGIN)
    assert claims["sub"] == str(alice.pk)
    assert kid == ring().signing_kid


@pytest.mark.parametrize(
    ("change", "username", "password"),
    [({}, "alice", "wrong"), ({}, "nobody", PASSWORD), ({"is_active": False}, "alice", PASSWORD)],
)
def test_a_refusal_does_not_say_what_was_wrong(api, alice, change, username, password):
    User.objects.filter(pk=alice.pk).update(**change)
    response = api.post(TOKEN, {"username": username, "password": password})
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "wrong_credentials"


def test_a_request_without_or_with_a_broken_token_is_told_so(api):
    for headers, code in (({}, "not_authenticated"), (bearer("x.y.z"), "token_not_valid")):
        response = api.get(ME, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == code
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_token_opens_nothing(api, alice):
    assert who(api, log_in(api, alice).json()["refresh"]).status_code == 401


def test_renewing_gives_a_new_pair_each_time(api, alice):
    first = log_in(api, alice).json()
    second = api.post(REFRESH, {"refresh": first["refresh"]}).json()
    third = api.post(REFRESH, {"refresh": second["refresh"]}).json()
    assert len({first["refresh"], second["refresh"], third["refresh"]}) == 3
    assert who(api, third["access"]).status_code == 200


def test_a_refresh_token_used_twice_ends_the_whole_log_in(api, alice):
    first = log_in(api, alice).json()
    second = api.post(REFRESH, {"refresh": first["refresh"]}).json()
    thief = api.post(REFRESH, {"refresh": first["refresh"]})
    assert thief.status_code == 401
    assert thief.json()["error"]["code"] == "token_not_valid"
    assert api.post(REFRESH, {"refresh": second["refresh"]}).status_code == 401
    for access in (first["access"], second["access"]):
        assert who(api, access).status_code == 401


def test_one_log_in_ended_leaves_the_others_alone(api, alice):
    here, there = log_in(api, alice).json(), log_in(api, alice).json()
    api.post(REVOKE, {"token": here["refresh"]})
    assert who(api, here["access"]).status_code == 401
    assert who(api, there["access"]).status_code == 200


@pytest.mark.parametrize(("kind", "renews"), [("refresh", False), ("access", True)])
def test_logging_out_with_either_token(api, alice, kind, renews):
    pair = log_in(api, alice).json()
    assert api.post(REVOKE, {"token": pair[kind]}).status_code == 204
    assert who(api, pair["access"]).status_code == 401
    assert (api.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200) is renews


def test_revoking_what_is_no_token_is_no_error(api):
    assert api.post(REVOKE, {"token": "x.y.z"}).status_code == 204


def test_a_deactivated_person_is_out_at_once(api, alice):
    pair = log_in(api, alice).json()
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert who(api, pair["access"]).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_a_changed_role_counts_at_once(api, alice):
    pair = log_in(api, alice).json()
    User.objects.filter(pk=alice.pk).update(role=Role.AGENT)
    assert who(api, pair["access"]).json()["permissions"] == ["api.use"]


def test_a_changed_password_ends_all_tokens(api, alice):
    pair = log_in(api, alice).json()
    alice.set_password("another-long-passphrase")
    alice.save()
    assert who(api, pair["access"]).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_signing_out_everywhere_ends_tokens_and_sessions(api, client, alice):
    pair = log_in(api, alice).json()
    client.force_login(alice, backend="apps.accounts.backends.RoleBackend")
    assert client.get(ME).status_code == 200
    services.sign_out_everywhere(alice)
    assert who(api, pair["access"]).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401
    assert client.get(ME).status_code == 401
    assert who(api, log_in(api, alice).json()["access"]).status_code == 200


def test_wrong_passwords_close_the_api_too_and_say_until_when(api, alice):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        log_in(api, alice, "wrong")
    response = log_in(api, alice)
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "locked_out"
    assert "retry_at" in response.json()["error"]["detail"]
    assert 0 < int(response["Retry-After"]) <= settings.AXES_COOLOFF_TIME.total_seconds()
    assert "access" not in response.json()


def test_a_session_may_read_but_needs_the_csrf_token_to_write(alice):
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(alice, backend="apps.accounts.backends.RoleBackend")
    assert api.get(ME).status_code == 200
    response = api.post("/api/v1/contact-lists/", {"name": "x"})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"


def test_a_request_by_token_costs_one_query(api, alice, django_assert_num_queries):
    pair = log_in(api, alice).json()
    who(api, pair["access"])
    with django_assert_num_queries(1):
        who(api, pair["access"])


def test_what_has_run_out_is_forgotten(alice):
    services.issue_tokens(alice)
    services.purge_expired(now=timezone.now() + timedelta(days=20))
    assert TokenFamily.objects.count() == 1
    services.purge_expired(now=timezone.now() + timedelta(days=40))
    assert TokenFamily.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_renewals_at_the_same_moment_do_not_both_win(alice):
    pair = services.issue_tokens(alice)
    results = []
    start = threading.Barrier(2)

    def renew():
        start.wait()
        try:
            results.append(services.renew_tokens(pair.refresh))
        except services.TokenRefused as refused:
            results.append(refused)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=renew) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(result, services.TokenRefused) for result in results) == [False, True]
    assert TokenFamily.objects.get().revoked_at is not None
