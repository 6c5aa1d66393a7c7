"""News that travels upward, sent after commit with ids: calls says it, whoever stands above listens."""

from django.dispatch import Signal

call_answered = Signal()  # call_id: int
call_ended = Signal()  # call_id: int
outcome_corrected = Signal()  # call_id: int; after call_ended: the call's outcome is another than it was then
callback_requested = Signal()  # call_id: int, at: datetime (aware)
opted_out = Signal()  # call_id: int, phone: str (E.164), channels: list[str]
