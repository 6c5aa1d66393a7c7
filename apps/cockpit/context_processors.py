"""What every page's frame shows: where this visitor may go, and how they like it to look."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class _Place:
    """A destination of the navigation. path: everything below it is part of it."""

    label: str | Promise
    icon: str
    view: str
    permission: Permission
    group: int = 0
    leaves_frame: bool = False


_PLACES = (
    _Place(_("Live"), "broadcast", "cockpit:live", Permission.LIVE_VIEW),
    _Place(_("Campaigns"), "speakerphone", "campaigns:list", Permission.CAMPAIGNS_VIEW),
    _Place(_("Contacts"), "address-book", "contacts:list", Permission.CONTACTS_VIEW),
    _Place(_("Calls"), "phone", "calls:list", Permission.CALLS_VIEW),
    _Place(_("Messages"), "message-2", "messaging:list", Permission.MESSAGES_VIEW),
    _Place(_("Services"), "plug-connected", "cockpit:services", Permission.LIVE_VIEW, group=1),
    _Place(_("API"), "code", "api-docs", Permission.API_USE, group=1),
    _Place(_("Back office"), "settings", "admin:index", Permission.BACK_OFFICE, group=1, leaves_frame=True),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """navigation: groups of {"label", "icon", "url", "is_current"}. theme, nav_width: chosen, from cookies."""
    user = getattr(request, "user", None)
    groups: dict[int, list[dict[str, object]]] = {}
    for place in _PLACES:
        if user is not None and allowed(user, place.permission):
            url = reverse(place.view)
            is_current = request.path.startswith(url) and not place.leaves_frame
            is_current = is_current and not (place.view == "cockpit:live" and request.path != url)
            groups.setdefault(place.group, []).append(
                {"label": place.label, "icon": place.icon, "url": url, "is_current": is_current}
            )
    theme = request.COOKIES.get("theme", "")
    return {
        "navigation": list(groups.values()),
        "theme": theme if theme in THEMES else "",
        "nav_width": "compact" if request.COOKIES.get("nav") == "compact" else "wide",
    }
