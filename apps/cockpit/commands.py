"""The live page's buttons: permission → question with counts → service. The event that follows reaches every page."""

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.calls.models import Call, EndReason
from apps.calls.selectors import calls_visible_to
from apps.calls.services.ending import request_end
from apps.campaigns import services
from apps.campaigns.models import Campaign
from apps.campaigns.questions import question
from apps.campaigns.selectors import campaigns_visible_to

_CAMPAIGN_ACTS = {
    "start": services.start,
    "pause": services.pause,
    "resume": services.resume,
    "stop": services.stop,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What will happen, and the words on the button that makes it happen."""

    title: str
    lines: list[str]
    confirm: str
    icon: str
    is_danger: bool


def ask(user: User, *, kind: str, pk: int, act: str) -> Question:
    """What to ask before it is done. Raises PermissionDenied, Http404."""
    if kind == "call":
        call = _call(user, pk, act)
        who = call.contact.name if call.contact and call.contact.name else call.masked_phone
        return Question(
            title=_("End the call with %(who)s?") % {"who": who},
            lines=[_("The line is cut at once, in the middle of a sentence if need be.")],
            confirm=_("End the call"),
            icon="phone-end",
            is_danger=True,
        )
    words = question(_campaign(user, kind, pk, act), act)
    lines = words["words"]
    return Question(
        title=str(words["question"]),
        lines=[str(line) for line in lines] if isinstance(lines, list) else [],
        confirm=str(words["confirm"]),
        icon={"pause": "player-pause", "stop": "player-stop"}.get(act, "player-play"),
        is_danger=act == "stop",
    )


def run(user: User, *, kind: str, pk: int, act: str) -> str:
    """Do it; the words say what became of it. Raises PermissionDenied, Http404, DomainError."""
    if kind == "call":
        _call(user, pk, act)
        if request_end(pk, reason=EndReason.STAFF_ENDED, by=user):
            return _("The call is being ended.")
        return _("The call was over already.")
    campaign = _campaign(user, kind, pk, act)
    _CAMPAIGN_ACTS[act](campaign_id=campaign.pk, by=user)
    done = {
        "start": _("%(name)s is started."),
        "pause": _("%(name)s is paused."),
        "resume": _("%(name)s goes on."),
        "stop": _("%(name)s is stopped."),
    }
    return done[act] % {"name": campaign.name}


def _call(user: User, pk: int, act: str) -> Call:
    if act != "end":
        raise Http404
    if not allowed(user, Permission.CALLS_END):
        raise PermissionDenied
    call = calls_visible_to(user).select_related("contact").filter(pk=pk).first()
    if call is None:
        raise Http404
    return call


def _campaign(user: User, kind: str, pk: int, act: str) -> Campaign:
    if kind != "campaign" or act not in _CAMPAIGN_ACTS:
        raise Http404
    if not allowed(user, Permission.CAMPAIGNS_CONTROL):
        raise PermissionDenied
    campaign = campaigns_visible_to(user).filter(pk=pk).first()
    if campaign is None:
        raise Http404
    return campaign
