"""States of a message and what may follow; pure. Carriers repeat and reorder news, which only moves a message on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MessageState(models.TextChoices):
    CREATED = "created", _("waiting to be sent")
    REQUESTED = "requested", _("being given to the carrier")
    UNKNOWN = "unknown", _("carrier did not answer: being checked")
    QUEUED = "queued", _("accepted by the carrier")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    UNDELIVERED = "undelivered", _("not delivered")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("not allowed")
    RECEIVED = "received", _("received")


_ORDER = [
    MessageState.CREATED,
    MessageState.REQUESTED,
    MessageState.UNKNOWN,
    MessageState.QUEUED,
    MessageState.SENT,
]
OPEN: list[MessageState] = _ORDER


def earlier_than(state: MessageState) -> list[MessageState]:
    """The states from which a message may move to ``state``: a final one may be reached from every open one."""
    return _ORDER[: _ORDER.index(state)] if state in _ORDER else list(_ORDER)
