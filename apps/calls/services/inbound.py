"""Somebody calls one of our numbers: whose call it is, and who takes it."""

import re
from dataclasses import dataclass

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import Language
from apps.calls.carriers.base import InboundCall, LineNews, LineStatus
from apps.calls.events import EventKind
from apps.calls.metrics import INBOUND_CALLS
from apps.calls.models import Call, Direction, Leg, Number, Party, Route
from apps.calls.services.placing import CallBrief
from apps.calls.services.progress import leg_progressed
from apps.calls.services.story import announce, call_context, tell
from apps.calls.states import LegState
from apps.contacts.hours import is_open
from apps.contacts.models import Contact
from apps.core import phone

log = structlog.get_logger(__name__)

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Taken:
    """The call is ours. forward_to: to whom it goes on, E.164; "" if a virtual agent answers."""

    leg_id: int
    forward_to: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """is_busy: the number is ours, and nobody is there; otherwise there is no such number."""

    is_busy: bool


def receive_call(carrier: str, news: InboundCall) -> Taken | Refused:
    """Make the call that somebody has begun, by the route of the number they dialled.

    Told again about the same call the answer is the same, without effect.
    """
    number = (
        Number.objects.select_related("virtual_agent", "target")
        .filter(e164=news.to, carrier=carrier, is_active=True)
        .first()
    )
    if number is None:
        return _refused(carrier, "unknown", news, is_busy=False)
    if number.route == Route.TARGET and number.target is not None:
        if not number.target.is_active or not is_open(number.target.hours, timezone.now()):
            return _refused(carrier, "closed", news, is_busy=True)
        return Taken(_leg(carrier, number, news), forward_to=number.target.e164)
    agent = number.virtual_agent
    if number.route == Route.VIRTUAL_AGENT and agent is not None and agent.is_active:
        return Taken(_leg(carrier, number, news))
    return _refused(carrier, "refuse", news, is_busy=True)


def _refused(carrier: str, why: str, news: InboundCall, *, is_busy: bool) -> Refused:
    INBOUND_CALLS.labels(carrier, why).inc()
    log.info("inbound_call_refused", carrier=carrier, why=why, caller=phone.mask(news.from_))
    return Refused(is_busy)


def _leg(carrier: str, number: Number, news: InboundCall) -> int:
    known = Leg.objects.filter(carrier=carrier, carrier_call_id=news.carrier_call_id).values_list("pk", flat=True)
    if (leg_id := known.first()) is not None:
        return leg_id
    try:
        with transaction.atomic():
            return _create(carrier, number, news)
    except IntegrityError:  # told twice at the same moment
        return known.get()


def _create(carrier: str, number: Number, news: InboundCall) -> int:
    caller = news.from_ if _E164.fullmatch(news.from_) else ANONYMOUS
    # Of several lists that have the person, the youngest knows most.
    contact = Contact.objects.filter(phone=caller).order_by("-pk").first()
    agent = number.virtual_agent if number.route == Route.VIRTUAL_AGENT else None
    languages = [contact.language if contact else "", number.language, agent.language if agent else ""]
    call = Call.objects.create(
        direction=Direction.INBOUND,
        number=number,
        contact=contact,
        virtual_agent=agent,
        language=next(filter(None, languages), Language.ENGLISH),
        remote_phone=caller,
        brief=CallBrief().as_json(),
    )
    leg = Leg.objects.create(
        call=call,
        party=Party.CUSTOMER,
        carrier=carrier,
        carrier_call_id=news.carrier_call_id,
        from_number=caller,
        to_number=number.e164,
        state=LegState.QUEUED,
        requested_at=timezone.now(),
    )
    with call_context(call):
        at = timezone.now()
        tell(call.pk, EventKind.INBOUND, at, leg_id=leg.pk, caller=phone.mask(caller), to=number.e164)
        leg_progressed(leg.pk, LineNews(news.carrier_call_id, LineStatus.RINGING, at=news.at, key=news.key))
        announce(call)
        INBOUND_CALLS.labels(carrier, str(number.route)).inc()
        log.info("inbound_call_taken", leg_id=leg.pk, route=str(number.route), is_known=contact is not None)
    return leg.pk
