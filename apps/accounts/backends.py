"""Log-in by user name, and Django's own permission names answered from the one table."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from apps.accounts import roles


class RoleBackend(ModelBackend):
    """Password check as in Django; permissions from the role.

    Whoever was deactivated is nobody from the next request on.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: object = None) -> bool:
        return bool(user_obj.is_authenticated and user_obj.has_perm(perm, obj))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return bool(user_obj.is_authenticated and user_obj.has_module_perms(app_label))

    def get_user_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        return set()

    def get_group_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        return set()

    def get_all_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        if not user_obj.is_authenticated or not user_obj.is_active:
            return set()
        return roles.django_names(user_obj.role)
