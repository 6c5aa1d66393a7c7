"""What a session's end sets going, and whose use is counted for whom; in the real database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.calls import session_sink
from apps.calls.bridge.sink import Cause, SessionEnd
from apps.calls.journal import Journal
from apps.calls.media.frames import Usage
from apps.calls.models import Call, CallEvent, CostItem
from apps.calls.plans import load_plan
from apps.calls.services.transfers import TransferFailed
from apps.calls.session_sink import SessionSink
from tests.factories.calls import make_leg

pytestmark = pytest.mark.django_db(transaction=True)


async def in_thread(work, *args, **named):
    return await sync_to_async(work)(*args, **named)


@pytest.fixture
def leg():
    return make_leg("answered", media_token_expires_at=timezone.now() + timedelta(seconds=60))


@pytest.fixture
async def sink(leg) -> AsyncIterator[SessionSink]:
    journal = Journal()
    journal.start()
    plan = await in_thread(load_plan, leg.media_token, "twilio")
    yield SessionSink(plan=plan, journal=journal, in_thread=in_thread)
    await in_thread(journal.stop)


async def test_who_could_not_be_talked_to_until_the_end_is_called_back(sink, leg, settings):
    settings.CALL_BACK_AFTER_FAILURE_MINUTES = 30
    await sink.give_up()
    event = await CallEvent.objects.aget(call=leg.call, kind="callback_requested")
    at = parse_datetime(event.data["at"])
    assert timedelta(minutes=29) < at - timezone.now() < timedelta(minutes=31)


async def test_a_callback_that_cannot_be_arranged_spoils_nothing(sink, settings):
    settings.CALL_BACK_AFTER_FAILURE_MINUTES = -1
    await sink.give_up()


@pytest.mark.parametrize("error", [None, TransferFailed("no"), RuntimeError("bug")])
async def test_a_session_that_ends_for_a_transfer_asks_the_carrier_and_does_not_end_the_call(
    sink, leg, monkeypatch, error
):
    asked = []

    def transfer(call_id, *, to):
        asked.append((call_id, to))
        if error is not None:
            raise error

    monkeypatch.setattr(session_sink, "begin_transfer", transfer)
    await sink.close(SessionEnd(Cause.TRANSFERRED, "+12025550147"))
    assert asked == [(leg.call_id, "+12025550147")]
    assert (await Call.objects.aget(pk=leg.call_id)).end_reason == ""


@pytest.mark.parametrize(
    ("cause", "reason"), [(Cause.LEFT, ""), (Cause.MEDIA_LOST, ""), (Cause.AI_FAILED, "ai_failed")]
)
async def test_only_some_ends_of_a_session_end_the_call(sink, leg, queue, cause, reason):
    await sink.close(SessionEnd(cause))
    assert (await Call.objects.aget(pk=leg.call_id)).end_reason == reason


async def test_use_is_counted_for_the_provider_that_speaks_at_the_time(sink, leg):
    sink.usage(Usage(text_in=1))
    sink.joined("gemini", "gemini-3.8-live")
    sink.usage(Usage(text_in=2))
    sink.usage(Usage(speech_chars=3, service="deepgram", model="aura-2"))
    await sink.close(SessionEnd(Cause.CALLER_HUNG_UP))
    items = CostItem.objects.filter(call=leg.call).values_list("service", "model", "quantity")
    found = {(service, model, int(quantity)) async for service, model, quantity in items}
    assert {("gemini", "gemini-3.8-live", 2), ("deepgram", "aura-2", 3)} <= found
    assert ("openai", 1) in {(service, quantity) for service, _, quantity in found}
