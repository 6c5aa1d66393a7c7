from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.calls.signals import callback_requested, opted_out
from apps.contacts.models import DncEntry
from tests.factories.calls import make_disposition

pytestmark = pytest.mark.django_db


@pytest.fixture
def news():
    """Signals sent while the test runs."""
    heard: list[tuple[str, dict]] = []

    def listen(name: str):
        def receiver(sender, signal, **facts) -> None:
            heard.append((name, facts))

        return receiver

    receivers = [
        (signal, listen(name)) for signal, name in ((opted_out, "opted_out"), (callback_requested, "callback"))
    ]
    for signal, receiver in receivers:
        signal.connect(receiver)
    yield heard
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def test_a_disposition_is_set(use, leg):
    make_disposition("sale")
    assert use("set_disposition", {"disposition": "sale", "note": "two\n boxes"}).startswith("Done")
    leg.call.refresh_from_db()
    assert (leg.call.disposition.code, leg.call.disposition_note) == ("sale", "two boxes")


def test_an_invented_disposition_is_answered_with_those_there_are(use, leg):
    make_disposition("sale")
    result = use("set_disposition", {"disposition": "jackpot"})
    assert result.startswith("Failed")
    assert "sale" in result
    leg.call.refresh_from_db()
    assert leg.call.disposition is None


@pytest.mark.parametrize(
    ("wanted", "stopped"),
    [
        ({}, {"voice", "sms", "email"}),
        ({"channels": ["voice"]}, {"voice"}),
        ({"channels": []}, {"voice", "sms", "email"}),
    ],
)
def test_an_opt_out_stops_the_channels_and_tells_everybody(
    use, leg, news, django_capture_on_commit_callbacks, wanted, stopped
):
    with django_capture_on_commit_callbacks(execute=True):
        assert use("opt_out", wanted).startswith("Done")
    entries = DncEntry.objects.filter(phone=leg.call.remote_phone)
    assert {entry.channel for entry in entries} == stopped
    assert {entry.call_id for entry in entries} == {leg.call_id}
    [(name, facts)] = news
    assert name == "opted_out"
    assert set(facts["channels"]) == stopped


def test_a_callback_is_in_the_persons_own_time(use, leg, news, django_capture_on_commit_callbacks):
    tomorrow = timezone.now().astimezone(ZoneInfo("America/New_York")).date() + timedelta(days=1)
    with django_capture_on_commit_callbacks(execute=True):
        result = use("schedule_callback", {"at": f"{tomorrow}T15:00"}, zone="America/New_York")
    assert result.startswith("Done")
    [(name, facts)] = news
    assert name == "callback"
    assert facts["at"] == datetime(tomorrow.year, tomorrow.month, tomorrow.day, 15, tzinfo=ZoneInfo("America/New_York"))


def test_a_time_with_an_offset_means_that_moment(use, news, django_capture_on_commit_callbacks):
    at = (timezone.now() + timedelta(days=2)).astimezone(UTC).replace(microsecond=0)
    with django_capture_on_commit_callbacks(execute=True):
        assert use("schedule_callback", {"at": at.isoformat()}).startswith("Done")
    assert news[0][1]["at"] == at


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"at": "2020-01-01T10:00"}, "past"),
        ({"at": "2999-01-01T10:00"}, "too far away"),
        ({"at": "tomorrow at three"}, "must look like"),
        ({"at": "2027-13-01T10:00"}, "must look like"),
        ({"at": 15}, "missing"),
        ({}, "missing"),
        ("{not json", "not JSON"),
        ("[1]", "JSON object"),
        ("", "missing"),
    ],
)
def test_a_time_that_cannot_be_meant_is_explained_to_the_model(use, news, arguments, says):
    result = use("schedule_callback", arguments)
    assert result.startswith("Failed")
    assert says in result
    assert news == []


def test_an_hour_that_the_clocks_leave_out_is_no_time(use, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2027, 3, 1, tzinfo=UTC))
    assert "does not exist" in use("schedule_callback", {"at": "2027-03-28T02:30"})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("opt_out", {"channels": ["telepathy"]}),
        ("opt_out", {"channels": "voice"}),
        ("opt_out", {"channels": [{}]}),
        ("opt_out", {"note": 5}),
        ("set_disposition", {"disposition": None}),
        ("set_disposition", "null"),
        ("format_disk", {}),
        ("", {}),
    ],
)
def test_nonsense_is_answered_and_changes_nothing(use, name, arguments):
    assert use(name, arguments).startswith("Failed")
    assert not DncEntry.objects.exists()
