"""Text messages."""

from apps.calls.models import Direction, Number
from apps.contacts.models import Contact
from apps.messaging.models import Message
from apps.messaging.states import MessageState
from tests.factories.calls import make_callable, make_number
from tests.factories.contacts import make_consent


def make_textable(**fields) -> Contact:
    """A person whom the rules allow to be written to now."""
    contact = make_callable(**fields)
    make_consent(contact.phone, channel="sms")
    return contact


def make_message(state: str = MessageState.CREATED, *, contact: Contact | None = None, **fields) -> Message:
    """A message to somebody, or from them where the state is "received"."""
    contact = contact or make_textable()
    is_inbound = state == MessageState.RECEIVED
    number: Number = fields.pop("number", None) or make_number(carrier=fields.get("carrier", "twilio"))
    if state == MessageState.REFUSED:
        fields.setdefault("reason", "no_consent")
    return Message.objects.create(
        **{
            "direction": Direction.INBOUND if is_inbound else Direction.OUTBOUND,
            "carrier": number.carrier,
            "number": number,
            "remote_phone": contact.phone,
            "contact": contact,
            "body": "Hello",
            "state": state,
            **fields,
        }
    )
