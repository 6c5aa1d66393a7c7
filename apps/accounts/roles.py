"""The one permission table: what each role may do, on pages, API, sockets and in the back office. Pure.

Nothing is allowed that does not stand here.
"""

from enum import StrEnum


class Permission(StrEnum):
    LIVE_VIEW = "live.view"  # the cockpit: calls in progress and their transcripts
    CALLS_VIEW = "calls.view"  # call pages, transcripts, costs
    CALLS_END = "calls.end"  # hang up a running call
    CALLS_CORRECT = "calls.correct"  # change disposition after the fact
    RECORDINGS_LISTEN = "recordings.listen"  # play and download what was recorded; every listening is noted
    RECORDINGS_PAUSE = "recordings.pause"  # pause and resume the recording of a running call
    MESSAGES_VIEW = "messages.view"  # text messages, in and out
    MESSAGES_SEND = "messages.send"
    CAMPAIGNS_VIEW = "campaigns.view"
    CAMPAIGNS_EDIT = "campaigns.edit"
    CAMPAIGNS_CONTROL = "campaigns.control"  # start, pause, resume, stop
    CONTACTS_VIEW = "contacts.view"
    CONTACTS_IMPORT = "contacts.import"
    CONTACTS_EDIT = "contacts.edit"  # change and delete people and lists, record consents
    CONTACTS_UNMASK = "contacts.unmask"  # see whole phone numbers
    DNC_EDIT = "dnc.edit"  # put someone on the do-not-call list
    DNC_REMOVE = "dnc.remove"  # take someone off it
    SETUP_EDIT = "setup.edit"  # virtual agents, numbers, dispositions, prices
    USERS_EDIT = "users.edit"
    SERVICES_RESET = "services.reset"  # have a service asked again that failed too often
    METRICS_VIEW = "metrics.view"
    BACK_OFFICE = "back_office.use"
    API_USE = "api.use"


_SUPERVISOR = frozenset(
    {
        Permission.LIVE_VIEW,
        Permission.CALLS_VIEW,
        Permission.CALLS_END,
        Permission.CALLS_CORRECT,
        Permission.RECORDINGS_LISTEN,
        Permission.RECORDINGS_PAUSE,
        Permission.MESSAGES_VIEW,
        Permission.MESSAGES_SEND,
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


# ── Django's own permission names ───────────────────────────────────────────────────────────────────────────
# Each model: what it takes to see it, and to add, change and delete it. What the system itself writes is not here
# under add, change or delete: nobody edits the record of what happened.
_VIEW_ONLY: dict[str, Permission] = {
    "accounts.tokenfamily": Permission.USERS_EDIT,
    "admin.logentry": Permission.USERS_EDIT,
    "axes.accesslog": Permission.USERS_EDIT,
    "calls.call": Permission.CALLS_VIEW,
    "calls.callevent": Permission.CALLS_VIEW,
    "calls.costitem": Permission.CALLS_VIEW,
    "calls.leg": Permission.CALLS_VIEW,
    "calls.recording": Permission.RECORDINGS_LISTEN,
    "calls.recordingpart": Permission.RECORDINGS_LISTEN,
    "calls.callreview": Permission.CALLS_VIEW,
    "calls.turn": Permission.CALLS_VIEW,
    "campaigns.campaigncontact": Permission.CAMPAIGNS_VIEW,
    "campaigns.campaignevent": Permission.CAMPAIGNS_VIEW,
    "campaigns.dialattempt": Permission.CAMPAIGNS_VIEW,
    "contacts.contactimport": Permission.CONTACTS_VIEW,
    "messaging.message": Permission.MESSAGES_VIEW,
}
_VIEW_AND_EDIT: dict[str, tuple[Permission, Permission]] = {
    "accounts.user": (Permission.USERS_EDIT, Permission.USERS_EDIT),
    "calls.disposition": (Permission.CALLS_VIEW, Permission.SETUP_EDIT),
    "calls.httptool": (Permission.SETUP_EDIT, Permission.SETUP_EDIT),
    "calls.httptoolheader": (Permission.SETUP_EDIT, Permission.SETUP_EDIT),
    "calls.number": (Permission.CAMPAIGNS_VIEW, Permission.SETUP_EDIT),
    "calls.price": (Permission.SETUP_EDIT, Permission.SETUP_EDIT),
    "calls.transfertarget": (Permission.CAMPAIGNS_VIEW, Permission.SETUP_EDIT),
    "calls.virtualagent": (Permission.CAMPAIGNS_VIEW, Permission.SETUP_EDIT),
    "calls.voiceaifallback": (Permission.CAMPAIGNS_VIEW, Permission.SETUP_EDIT),
    "calls.voicemailrecording": (Permission.CAMPAIGNS_VIEW, Permission.SETUP_EDIT),
    "campaigns.callingwindow": (Permission.CAMPAIGNS_VIEW, Permission.CAMPAIGNS_EDIT),
    "campaigns.campaign": (Permission.CAMPAIGNS_VIEW, Permission.CAMPAIGNS_EDIT),
    "campaigns.retryrule": (Permission.CAMPAIGNS_VIEW, Permission.CAMPAIGNS_EDIT),
    "contacts.contact": (Permission.CONTACTS_VIEW, Permission.CONTACTS_EDIT),
    "contacts.contactlist": (Permission.CONTACTS_VIEW, Permission.CONTACTS_EDIT),
}
_EDIT = ("add", "change", "delete")
DJANGO: dict[str, Permission] = {
    **{f"{model} view": permission for model, permission in _VIEW_ONLY.items()},
    **{f"{model} view": view for model, (view, _edit) in _VIEW_AND_EDIT.items()},
    **{f"{model} {action}": edit for model, (_view, edit) in _VIEW_AND_EDIT.items() for action in _EDIT},
    # An import is started, never edited; a consent is withdrawn, never deleted.
    "contacts.contactimport add": Permission.CONTACTS_IMPORT,
    "contacts.consent view": Permission.CONTACTS_VIEW,
    "contacts.consent add": Permission.CONTACTS_EDIT,
    "contacts.consent change": Permission.CONTACTS_EDIT,
    "contacts.dncentry view": Permission.CONTACTS_VIEW,
    "contacts.dncentry add": Permission.DNC_EDIT,
    "contacts.dncentry change": Permission.DNC_EDIT,
    "contacts.dncentry delete": Permission.DNC_REMOVE,
    # Failed log-ins; deleting one lets the person in again before the wait is over.
    "axes.accessattempt view": Permission.USERS_EDIT,
    "axes.accessattempt delete": Permission.USERS_EDIT,
}


def may_django(role: str, name: str) -> bool:
    """Whether the role holds Django's permission of that name, ``app.action_model``; unknown names: nobody."""
    app, _dot, codename = name.partition(".")
    action, _underscore, model = codename.partition("_")
    permission = DJANGO.get(f"{app}.{model} {action}")
    return permission is not None and may(role, permission)


def may_app(role: str, app: str) -> bool:
    """Whether the role may see anything of an app."""
    return any(key.startswith(f"{app}.") and may(role, permission) for key, permission in DJANGO.items())


def django_names(role: str) -> set[str]:
    """All of Django's permission names that the role holds."""
    names = set()
    for key, permission in DJANGO.items():
        model, _space, action = key.partition(" ")
        app, _dot, name = model.partition(".")
        if may(role, permission):
            names.add(f"{app}.{action}_{name}")
    return names
