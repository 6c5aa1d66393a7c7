"""The back office: its door, its groups, and people's own accounts."""

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from apps.accounts import services
from apps.accounts.models import Role, TokenFamily, User
from apps.core.admin_site import Group
from apps.core.back_office import ReadOnlyAdmin
from tests.factories.accounts import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


def test_strangers_come_to_the_one_sign_in_page_and_back(client, admin):
    response = client.get("/admin/calls/call/")
    assert response["Location"] == "/accounts/login/?next=%2Fadmin%2Fcalls%2Fcall%2F"
    back = client.post(response["Location"], {"username": "admin", "password": PASSWORD, "next": "/admin/calls/call/"})
    assert back["Location"] == "/admin/calls/call/"


def test_the_index_is_grouped_by_what_people_do(office):
    groups = office.get("/admin/").context["app_list"]
    assert [group["app_label"] for group in groups] == list(Group.values)
    calling = [model["object_name"] for model in groups[0]["models"]]
    assert calling[:2] == ["Campaign", "Call"]
    assert office.get(reverse("admin:group", args=["people"])).status_code == 200
    assert office.get(reverse("admin:group", args=["nonsense"])).status_code == 404


def test_every_list_opens_searches_and_asks_a_fixed_number_of_questions(office, django_assert_max_num_queries):
    for model in django_admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with django_assert_max_num_queries(14):
            assert office.get(url).status_code == 200, url
        assert office.get(f"{url}?q=abc").status_code == 200, url


def test_large_lists_do_not_count_everything():
    assert not any(model_admin.show_full_result_count for model_admin in django_admin.site._registry.values())


def test_what_the_system_wrote_has_no_form():
    written = {"Call", "CostItem", "CampaignContact", "DialAttempt", "TokenFamily", "AccessLog", "LogEntry"}
    read_only = {
        model.__name__
        for model, model_admin in django_admin.site._registry.items()
        if isinstance(model_admin, ReadOnlyAdmin)
    }
    assert written <= read_only


def test_an_account_is_made_with_its_role(office):
    new = {"username": "dora", "role": "supervisor", "language": "cs", "password1": "a-long-passphrase"}
    url = reverse("admin:accounts_user_add")
    office.post(url, {**new, "password2": "a-long-passphrase", "usable_password": "true"})
    person = User.objects.get(username="dora")
    assert (person.role, person.language) == ("supervisor", "cs")
    assert person.check_password("a-long-passphrase")


def test_deactivating_someone_ends_their_sessions(office, client, bob):
    theirs = type(client)()
    theirs.force_login(bob, backend="apps.accounts.backends.RoleBackend")
    fields = {"username": "bob", "role": "agent", "language": "en", "theme": "auto", "first_name": "", "last_name": ""}
    response = office.post(reverse("admin:accounts_user_change", args=[bob.pk]), fields)
    assert response.status_code == 302, response.context["adminform"].errors
    assert theirs.get("/api/v1/auth/me/").status_code == 401


def test_an_admin_takes_away_neither_their_own_role_nor_themselves(office, admin):
    url = reverse("admin:accounts_user_change", args=[admin.pk])
    fields = {"username": "admin", "role": "agent", "language": "en", "theme": "auto"}
    office.post(url, fields)
    admin.refresh_from_db()
    assert (admin.role, admin.is_active) == (Role.ADMIN, True)
    assert office.get(reverse("admin:accounts_user_delete", args=[admin.pk])).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [admin.pk], "post": "yes"}
    office.post(reverse("admin:accounts_user_changelist"), selected)
    assert User.objects.filter(pk=admin.pk).exists()


def test_people_are_signed_out_everywhere_and_it_is_written_down(office, alice):
    services.issue_tokens(alice)
    selected = {"action": "sign_out_everywhere", "_selected_action": [alice.pk]}
    office.post(reverse("admin:accounts_user_changelist"), selected)
    alice.refresh_from_db()
    assert alice.token_version == 1
    assert TokenFamily.objects.get().revoked_at is not None
    assert LogEntry.objects.filter(object_id=str(alice.pk)).exists()


def test_single_api_log_ins_are_ended(office, alice):
    services.issue_tokens(alice)
    family = TokenFamily.objects.get()
    selected = {"action": "end_log_ins", "_selected_action": [str(family.pk)]}
    office.post(reverse("admin:accounts_tokenfamily_changelist"), selected)
    family.refresh_from_db()
    assert family.revoked_at is not None


def test_a_password_set_by_an_admin_ends_the_person_s_sessions(office, client):
    person = make_user("erin")
    theirs = type(client)()
    theirs.force_login(person, backend="apps.accounts.backends.RoleBackend")
    new = {"password1": "another-passphrase", "password2": "another-passphrase", "usable_password": "true"}
    office.post(reverse("admin:auth_user_password_change", args=[person.pk]), new)
    assert theirs.get("/api/v1/auth/me/").status_code == 401
