"""Calls, their legs, and what a carrier would say about them."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

from django.conf import settings
from django.utils import timezone

from apps.calls.models import Call, Direction, Disposition, HttpTool, Leg, Number, Price, TransferTarget, VirtualAgent
from apps.calls.models.cost import Part, Unit
from apps.calls.services.placing import CallBrief, CallRequest
from apps.calls.states import LegState
from apps.contacts.models import Contact, ZoneSource
from tests.factories.contacts import make_contact

_n = count(1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC).date()


def make_number(e164: str = "", **fields) -> Number:
    fields.setdefault("carrier", "twilio")
    return Number.objects.create(e164=e164 or f"+1302{6660000 + next(_n):07d}", **fields)


def make_virtual_agent(**fields) -> VirtualAgent:
    defaults = {"speaks_as": "Ada", "company": "Acme", "greeting": "Hello.", "instructions": "Be brief."}
    return VirtualAgent.objects.create(**{"name": f"Agent {next(_n)}", **defaults, **fields})


def make_transfer_target(code: str = "", **fields) -> TransferTarget:
    n = next(_n)
    defaults = {"name": f"Target {n}", "kind": "queue", "e164": f"+1202444{n % 10000:04d}"}
    return TransferTarget.objects.create(**{"code": code or f"target-{n}", **defaults, **fields})


def make_http_tool(name: str = "", **fields) -> HttpTool:
    defaults = {"description": "Looks something up.", "url": "https://api.example.com/"}
    return HttpTool.objects.create(**{"name": name or f"tool_{next(_n)}", **defaults, **fields})


def make_callable(phone: str = "", **fields) -> Contact:
    """A person whom the rules allow to be called at any time of day the tests run: where they live it is noon."""
    fields.setdefault("time_zone", zone_at_noon())
    fields.setdefault("zone_source", ZoneSource.GIVEN)
    return make_contact(phone=phone or f"+1212{6660000 + next(_n) * 100:07d}", **fields)


def zone_at_noon() -> str:
    """A zone of fixed offset whose clock shows between 12 and 13 h now."""
    offset = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"  # POSIX signs: west is plus


def make_call(*, contact: Contact | None = None, number: Number | None = None, **fields) -> Call:
    contact = contact or make_callable()
    return Call.objects.create(
        **{
            "direction": Direction.OUTBOUND,
            "number": number or make_number(),
            "contact": contact,
            "virtual_agent": fields.pop("virtual_agent", None) or make_virtual_agent(),
            "language": "en",
            "remote_phone": contact.phone,
            "brief": CallBrief(pace_key=f"test-{next(_n)}", calls_per_second=100).as_json(),
            **fields,
        }
    )


def make_leg(state: str = LegState.CREATED, *, call: Call | None = None, quiet_s: float = 0, **fields) -> Leg:
    """A customer's leg in this state, with its call. quiet_s: for how long nothing was heard of it."""
    call = call or make_call(number=make_number(carrier=fields.get("carrier", "twilio")))
    now = timezone.now()
    if state in {LegState.QUEUED, LegState.RINGING, LegState.ANSWERED}:
        fields.setdefault("carrier_call_id", sid())
    if state != LegState.CREATED:
        fields.setdefault("requested_at", now - timedelta(seconds=quiet_s))
    if state == LegState.ANSWERED:
        fields.setdefault("answered_at", now - timedelta(seconds=quiet_s))
    leg = Leg.objects.create(
        **{
            "call": call,
            "carrier": call.number.carrier,
            "from_number": call.number.e164,
            "to_number": call.remote_phone,
            "state": state,
            "expires_at": now + timedelta(seconds=60),
            **fields,
        }
    )
    if quiet_s:
        Leg.objects.filter(pk=leg.pk).update(updated_at=now - timedelta(seconds=quiet_s))
    return leg


def make_ended_call(outcome: str = "answered", *, ended_s: float = 30, **fields) -> Call:
    """A call that is over since so many seconds, with its leg."""
    ended_at = timezone.now() - timedelta(seconds=ended_s)
    talked = outcome in {"answered", "voicemail"}
    answered_at = ended_at - timedelta(seconds=60) if talked else None
    call = make_call(**{"outcome": outcome, "ended_at": ended_at, "answered_at": answered_at, **fields})
    make_leg("ended", call=call, outcome=outcome, ended_at=ended_at, answered_at=answered_at)
    return call


def make_request(contact: Contact | None = None, *, carrier: str = "twilio", **brief) -> CallRequest:
    return CallRequest(
        contact=contact or make_callable(),
        number=make_number(carrier=carrier),
        virtual_agent=make_virtual_agent(),
        brief=CallBrief(**{"pace_key": f"test-{next(_n)}", "calls_per_second": 100.0, **brief}),
    )


def make_disposition(code: str, **fields) -> Disposition:
    return Disposition.objects.create(**{"code": code, "name": code.title(), **fields})


def make_price(service: str, part: str, amount: str, *, unit: str = Unit.MILLION_TOKENS, **fields) -> Price:
    fields.setdefault("valid_from", LONG_AGO)
    return Price.objects.create(service=service, part=part, unit=unit, amount=amount, **fields)


def make_carrier_price(amount: str = "0.014", *, carrier: str = "twilio") -> Price:
    return make_price(carrier, Part.CARRIER, amount, unit=Unit.MINUTE)


def sid(prefix: str = "CA") -> str:
    return f"{prefix}{next(_n):032x}"


def timestamp(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


def signature(url: str, form: Mapping[str, str], token: str | None = None) -> str:
    """Twilio's, written out after its description rather than taken from its SDK."""
    text = url + "".join(name + form[name] for name in sorted(form))
    secret = (token or settings.TWILIO_AUTH_TOKEN).encode()
    return base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha1).digest()).decode()
