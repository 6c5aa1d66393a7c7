"""Calls that the carrier records, through the media process as it runs: what it wants of the carrier, and no spool."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Leg, Recording, Turn
from apps.calls.services import recording_control
from tests.calls.media_server import eventually
from tests.calls.recorded.test_calls import ready, say, use_tool
from tests.factories.calls import make_call, make_callable, make_leg, make_virtual_agent

pytestmark = pytest.mark.django_db(transaction=True)
_names = iter(f"Taped{n}" for n in range(1000))


def make_stream(*, is_recorded: bool = True) -> Leg:
    agent = make_virtual_agent(recorded_by="carrier", is_recorded=is_recorded)
    call = make_call(contact=make_callable(first_name=next(_names)), virtual_agent=agent)
    expires_at = timezone.now() + timedelta(seconds=60)
    return make_leg("answered", call=call, media_token_expires_at=expires_at, carrier_call_id=f"CA{call.pk:032x}")


def wanted(leg: Leg) -> tuple[str, str] | None:
    return Recording.objects.filter(call=leg.call, source="carrier").values_list("wanted", "wanted_why").first()


def until_wanted(leg: Leg, wish: str, why: str = "") -> None:
    eventually(lambda: wanted(leg) == (wish, why))


def test_tool_button_and_card_data_reach_the_carriers_recording(media, provider, folder, alice):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        until_wanted(leg, "record")
        use_tool(provider, leg, "pause_recording")
        until_wanted(leg, "pause", "card")
        say(provider, leg, "It is 4 1 1 1, 2 2 2 2.", "u1")
        use_tool(provider, leg, "resume_recording")
        until_wanted(leg, "record")
        recording_control.ask(leg.call_id, "pause", by=alice)
        until_wanted(leg, "pause", "staff")
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    assert not list(folder.glob("recording-spool/*"))
    assert not Recording.objects.filter(call=leg.call, source="bridge").exists()
    assert "4 1 1 1" not in Turn.objects.get(call=leg.call, speaker="caller").text


def test_who_refuses_stops_it(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        until_wanted(leg, "record")
        use_tool(provider, leg, "stop_recording")
        until_wanted(leg, "stop")
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    states = Recording.objects.filter(call=leg.call).values_list("source", "state", "erased_why")
    assert set(states) == {("bridge", "erased", "refused"), ("carrier", "erased", "refused")}


def test_a_call_that_is_not_to_be_recorded_is_not_by_the_carrier_either(media, provider):
    leg = make_stream(is_recorded=False)
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    other = make_stream()
    with media.call(other) as carrier:  # what the first might have asked for would have come before
        until_wanted(other, "record")
        carrier.stop()
        carrier.wait_closed()
    assert wanted(leg) is None
