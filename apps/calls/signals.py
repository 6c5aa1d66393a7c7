"""News that travels upward, sent after commit with ids: calls says it, whoever stands above listens."""

from django.dispatch import Signal

call_answered = Signal()  # call_id: int
call_ended = Signal()  # call_id: int
callback_requested = Signal()  # call_id: int, at: datetime (aware)
opted_out = Signal()  # call_id: int, phone: str (E.164), channels: list[str]
