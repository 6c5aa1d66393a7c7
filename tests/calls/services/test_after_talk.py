"""Dispositions, callbacks and opt-outs: what a conversation leads to."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls.models import CallEvent
from apps.calls.services.callbacks import BadCallbackTime, schedule_callback
from apps.calls.services.dispositions import UnknownDisposition, set_disposition
from apps.calls.services.opt_outs import opt_out_by_call
from apps.calls.signals import callback_requested, opted_out
from apps.contacts.models import Consent, DncEntry
from tests.factories.calls import make_call, make_disposition

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard():
    """What callback_requested and opted_out told."""
    news: list[dict] = []

    def listen(sender, signal, **facts):
        news.append(facts)

    for signal in (callback_requested, opted_out):
        signal.connect(listen)
    yield news
    for signal in (callback_requested, opted_out):
        signal.disconnect(listen)


def story(call, *kinds):
    return [(event.kind, event.data) for event in CallEvent.objects.filter(call=call, kind__in=kinds)]


def test_a_correction_shows_as_one_and_the_ai_does_not_undo_it(alice):
    call = make_call()
    make_disposition("sale")
    make_disposition("refused")
    set_disposition(call.pk, "sale", "wants the blue one")
    set_disposition(call.pk, "sale", "wants the blue one")
    set_disposition(call.pk, "refused", "listened to it: no", by=alice)
    set_disposition(call.pk, "sale", "too late")
    call.refresh_from_db()
    assert (call.disposition.code, call.disposition_note) == ("refused", "listened to it: no")
    assert story(call, "disposition_set", "disposition_corrected") == [
        ("disposition_set", {"code": "sale", "note": "wants the blue one"}),
        (
            "disposition_corrected",
            {"code": "refused", "before": "sale", "note": "listened to it: no", "by": "Alice North", "by_id": alice.pk},
        ),
    ]


@pytest.mark.parametrize("code", ["nonsense", "retired", ""])
def test_only_dispositions_in_use_can_be_chosen(code):
    make_disposition("retired", is_active=False)
    with pytest.raises(UnknownDisposition):
        set_disposition(make_call().pk, code)


def test_a_callback_is_news_once_and_the_last_time_holds(heard, django_capture_on_commit_callbacks):
    call = make_call()
    first, second = timezone.now() + timedelta(hours=3), timezone.now() + timedelta(hours=5)
    with django_capture_on_commit_callbacks(execute=True):
        assert schedule_callback(call.pk, at=first, note="after lunch")
        assert schedule_callback(call.pk, at=first, note="after lunch") is None
        assert schedule_callback(call.pk, at=second)
    assert heard == [{"call_id": call.pk, "at": first}, {"call_id": call.pk, "at": second}]
    assert story(call, "callback_requested") == [
        ("callback_requested", {"at": first.isoformat(), "note": "after lunch"}),
        ("callback_requested", {"at": second.isoformat()}),
    ]


@pytest.mark.parametrize("away", [timedelta(seconds=-1), timedelta(days=400)])
def test_a_callback_lies_within_the_next_year(heard, away):
    with pytest.raises(BadCallbackTime):
        schedule_callback(make_call().pk, at=timezone.now() + away)
    assert heard == []


def test_an_opt_out_stops_every_channel_and_is_news_once(heard, django_capture_on_commit_callbacks):
    call = make_call()
    with django_capture_on_commit_callbacks(execute=True):
        assert opt_out_by_call(call.pk, note="never again") == ["email", "sms", "voice"]
        assert opt_out_by_call(call.pk, channels=["voice"]) == ["voice"]
    assert heard == [{"call_id": call.pk, "phone": call.remote_phone, "channels": ["email", "sms", "voice"]}]
    entries = DncEntry.objects.filter(phone=call.remote_phone)
    assert {(entry.channel, entry.source, entry.call_id) for entry in entries} == {
        (channel, "ai_call", call.pk) for channel in ("email", "sms", "voice")
    }
    assert not Consent.objects.filter(phone=call.remote_phone, withdrawn_at__isnull=True).exists()


def test_an_unknown_channel_opts_nobody_out():
    with pytest.raises(ValueError, match="pigeon"):
        opt_out_by_call(make_call().pk, channels=["voice", "pigeon"])
    assert not DncEntry.objects.exists()
