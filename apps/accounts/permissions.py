"""The permission table at the door of pages, API and sockets: deny by default."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import User
from apps.accounts.roles import Permission, may

View = Callable[..., HttpResponseBase]


def allowed(user: Any, permission: Permission) -> bool:
    """Whether this user (or anonymous visitor) may do it."""
    return bool(user.is_authenticated and user.is_active and may(user.role, permission))


def signed_in(request: HttpRequest) -> User:
    """The person behind a request that passed ``requires``. Raises PermissionDenied for anonymous visitors."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def requires(permission: Permission) -> Callable[[View], View]:
    """A page for those who hold the permission; others get the sign-in page or 403."""

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request.user, permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


class RolePermission(BasePermission):
    """A view names what it takes: ``permission = X``, or ``permissions = {"POST": Y}`` by method or action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        by_name = getattr(view, "permissions", {})
        action, default = getattr(view, "action", None), getattr(view, "permission", None)
        needed = by_name.get(action, by_name.get(request.method, default))
        return needed is not None and allowed(request.user, Permission.API_USE) and allowed(request.user, needed)
