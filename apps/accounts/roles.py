"""The one permission table: what each role may do, on pages, API, sockets and in the back office. Pure.

Nothing is allowed that does not stand here.
"""

from enum import StrEnum


class Permission(StrEnum):
    LIVE_VIEW = "live.view"  # the cockpit: calls in progress and their transcripts
    CALLS_VIEW = "calls.view"  # call pages, transcripts, costs
    CALLS_END = "calls.end"  # hang up a running call
    CALLS_CORRECT = "calls.correct"  # change disposition after the fact
    CAMPAIGNS_VIEW = "campaigns.view"
    CAMPAIGNS_EDIT = "campaigns.edit"
    CAMPAIGNS_CONTROL = "campaigns.control"  # start, pause, resume, stop
    CONTACTS_VIEW = "contacts.view"
    CONTACTS_IMPORT = "contacts.import"
    CONTACTS_UNMASK = "contacts.unmask"  # see whole phone numbers
    DNC_EDIT = "dnc.edit"
    BACK_OFFICE = "back_office.use"
    API_USE = "api.use"


_SUPERVISOR = frozenset(
    {
        Permission.LIVE_VIEW,
        Permission.CALLS_VIEW,
        Permission.CALLS_END,
        Permission.CALLS_CORRECT,
        Permission.CAMPAIGNS_VIEW,
        Permission.CAMPAIGNS_CONTROL,
        Permission.CONTACTS_VIEW,
        Permission.CONTACTS_IMPORT,
        Permission.DNC_EDIT,
        Permission.API_USE,
    }
)
GRANTS: dict[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "supervisor": _SUPERVISOR,
    "agent": frozenset({Permission.API_USE}),
}


def may(role: str, permission: Permission) -> bool:
    """Whether the role holds the permission; an unknown role holds none."""
    return permission in GRANTS.get(role, frozenset())
