import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from apps.accounts.models import Role, User
from apps.accounts.roles import DJANGO, GRANTS, Permission, django_names, may, may_app, may_django


def test_every_role_stands_in_the_table():
    assert set(GRANTS) == set(Role.values)


def test_an_admin_may_everything_and_an_unknown_role_nothing():
    assert all(may("admin", permission) for permission in Permission)
    assert not any(may("owner", permission) for permission in Permission)


@pytest.mark.parametrize(
    ("role", "name", "is_granted"),
    [
        ("admin", "accounts.change_user", True),
        ("admin", "calls.view_call", True),
        ("admin", "calls.change_call", False),  # the record of what happened
        ("admin", "calls.delete_turn", False),
        ("admin", "contacts.delete_consent", False),
        ("admin", "contacts.delete_dncentry", True),
        ("supervisor", "contacts.add_dncentry", True),
        ("supervisor", "contacts.delete_dncentry", False),
        ("supervisor", "campaigns.view_campaign", True),
        ("supervisor", "campaigns.change_campaign", False),
        ("supervisor", "accounts.view_user", False),
        ("agent", "campaigns.view_campaign", False),
        ("admin", "auth.change_permission", False),
        ("admin", "nonsense", False),
        ("nobody", "calls.view_call", False),
    ],
)
def test_django_s_names_are_answered_from_the_table(role, name, is_granted):
    assert may_django(role, name) is is_granted
    assert User(role=role).has_perm(name) is is_granted
    assert (name in django_names(role)) is is_granted


def test_every_model_named_in_the_table_exists():
    for key in DJANGO:
        model, _space, action = key.partition(" ")
        apps.get_model(model)
        assert action in {"view", "add", "change", "delete"}


def test_every_model_of_ours_is_in_the_table():
    """A new model is nobody's until someone decides whose it is."""
    hidden = {"accounts.revokedtoken"}
    ours = {model._meta.label_lower for model in apps.get_models() if model.__module__.startswith("apps.")}
    assert ours - hidden <= {key.partition(" ")[0] for key in DJANGO}


def test_apps_open_with_any_of_their_models():
    assert may_app("admin", "contacts")
    assert may_app("supervisor", "campaigns")
    assert not may_app("agent", "campaigns")
    assert not may_app("admin", "auth")


def test_a_deactivated_person_holds_nothing():
    person = User(role=Role.ADMIN, is_active=False)
    assert not person.has_perm("calls.view_call")
    assert not person.has_module_perms("calls")
    assert not person.is_staff


@pytest.mark.django_db
def test_createsuperuser_makes_an_admin_and_nothing_above():
    person = get_user_model().objects.create_superuser("root", "root@example.com", "a-long-passphrase")
    assert person.role == Role.ADMIN
    assert person.is_staff
    assert not person.is_superuser
    assert not person.has_perm("calls.change_call")
