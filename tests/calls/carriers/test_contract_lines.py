"""What every carrier's calls do, over the wire: inbound, transfers, detection, keys, recordings; our worker and web
server on one side, the carrier process on the other."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest

from apps.calls.media.frames import Audio, Dtmf, StreamStarted
from apps.calls.models import Call, CostItem, Direction, EndReason, Leg, Party, Recording, Route, TransferTarget
from apps.calls.services import carrier_recordings, ending, transfers
from apps.calls.services.transfers import TransferFailed
from apps.calls.states import LegState, Outcome
from tests.calls.conftest import CarrierProcess
from tests.calls.lines import call_number, wait_for, wait_until
from tests.factories.calls import make_carrier_price, make_number, make_virtual_agent
from tests.factories.contacts import make_contact

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]

TALKS = "+12125556100"  # an interested person who holds the line for a while
CALLER = "+12125557100"
COLLEAGUE, BUSY, NOBODY = "+12125558100", "+12125558112", "+12125558113"


def let_somebody_call(product: CarrierProcess, carrier: str, number: str, *, origin: str, **options: str) -> str:
    """Begin a call to a number of ours; the carrier's name for it."""
    hooks = {
        "twilio": {
            "voice_url": f"{origin}/hooks/twilio/inbound",
            "status_callback": f"{origin}/hooks/twilio/inbound-status",
        },
        "telnyx": {"webhook_url": f"{origin}/hooks/telnyx/events", "connection_id": "1494404757140276705"},
    }
    call = {"from": CALLER, "to": number, "carrier": carrier, **hooks[carrier], **options}
    return str(product.control("POST", "inbound", call)["sid"])


def status_of(product: CarrierProcess, sid: str) -> str:
    return str(product.control("GET", f"calls/{sid}")["status"])


@pytest.fixture
def our_number(name):
    def make(route: str, **fields):
        return make_number(carrier=name, route=route, **fields)

    return make


def test_who_calls_us_gets_the_numbers_virtual_agent(product, name, media, settings, our_number):
    agent = make_virtual_agent(language="en")
    number = our_number(Route.VIRTUAL_AGENT, virtual_agent=agent, language="es")
    contact = make_contact(phone=CALLER, language="cs")
    let_somebody_call(product, name, number.e164, origin=settings.PUBLIC_ORIGIN)
    wait_until(lambda: media.opened)
    leg = Leg.objects.get()
    leg = wait_for(leg, LegState.ANSWERED)
    call = Call.objects.get()
    assert (call.direction, call.contact, call.virtual_agent) == (Direction.INBOUND, contact, agent)
    assert (call.language, call.remote_phone, call.number) == ("cs", CALLER, number)
    assert [path for path, _ in media.opened] == [f"/media/{name}/{leg.media_token}"]
    wait_until(lambda: any(isinstance(frame, StreamStarted) for frame in media.frames))
    assert (
        next(frame for frame in media.frames if isinstance(frame, StreamStarted)).carrier_call_id == leg.carrier_call_id
    )
    ending.request_end(call.pk, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    call.refresh_from_db()
    assert (call.outcome, call.end_reason) == (Outcome.ANSWERED, EndReason.STAFF_ENDED)


def test_a_caller_who_hangs_up_ends_the_call(product, name, media, settings, our_number):
    number = our_number(Route.VIRTUAL_AGENT, virtual_agent=make_virtual_agent(), language="es")
    sid = let_somebody_call(product, name, number.e164, origin=settings.PUBLIC_ORIGIN)
    wait_until(lambda: media.opened)
    product.control("POST", f"calls/{sid}/hang-up")
    leg = wait_for(Leg.objects.get(), LegState.ENDED)
    call = Call.objects.get()
    assert (call.outcome, call.end_reason, call.language) == (Outcome.ANSWERED, EndReason.CALLER_HUNG_UP, "es")
    assert not leg.events.filter(kind="media_lost").exists()


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_number_that_takes_no_calls_refuses_them(product, name, settings, our_number, is_ours):
    number = our_number(Route.REFUSE).e164 if is_ours else "+13025559999"
    sid = let_somebody_call(product, name, number, origin=settings.PUBLIC_ORIGIN)
    wait_until(lambda: status_of(product, sid) not in {"queued", "ringing"})
    assert status_of(product, sid) in ({"busy"} if is_ours else {"no-answer", "busy", "failed"})
    assert not Call.objects.exists()


def make_target(e164: str = COLLEAGUE) -> TransferTarget:
    return TransferTarget.objects.create(code="office", name="Office", kind="number", e164=e164)


def test_a_call_to_a_queue_s_number_is_passed_on(product, name, settings, our_number):
    number = our_number(Route.TARGET, target=make_target())
    let_somebody_call(product, name, number.e164, origin=settings.PUBLIC_ORIGIN)
    wait_until(lambda: Leg.objects.filter(party=Party.TARGET, state=LegState.ANSWERED).exists())
    first, target = Leg.objects.get(party=Party.CUSTOMER), Leg.objects.get(party=Party.TARGET)
    wait_for(first, LegState.ANSWERED)
    assert (target.to_number, target.from_number) == (COLLEAGUE, number.e164)
    call = Call.objects.get()
    assert (call.transferred_to, call.virtual_agent) == (COLLEAGUE, None)
    ending.request_end(call.pk, reason=EndReason.STAFF_ENDED)
    wait_for(first, LegState.ENDED)
    wait_for(target, LegState.ENDED)
    call.refresh_from_db()
    assert (call.outcome, call.is_live) == (Outcome.ANSWERED, False)


def test_a_call_passed_on_to_nobody_ends(product, name, settings, our_number):
    number = our_number(Route.TARGET, target=make_target(BUSY))
    let_somebody_call(product, name, number.e164, origin=settings.PUBLIC_ORIGIN)
    wait_until(lambda: Leg.objects.exists())
    wait_for(Leg.objects.get(party=Party.CUSTOMER), LegState.ENDED)
    call = Call.objects.get()
    assert (call.end_reason, call.transferred_to) == (EndReason.NOT_ANSWERED, "")
    assert call.events.filter(kind="transfer_failed").count() == 1


def test_a_blind_transfer_joins_two_and_ends_where_they_end_it(product, name, media):
    make_carrier_price("0.014", carrier=name)
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    wait_until(lambda: media.opened)
    transfers.transfer_call(leg.call_id, to=COLLEAGUE)
    target = leg.call.legs.get(party=Party.TARGET)
    wait_for(target, LegState.ANSWERED)
    kinds = list(leg.call.events.values_list("kind", flat=True))
    assert {"transfer_started", "transferred"} <= set(kinds)
    time.sleep(1.1)  # airtime is counted in seconds of ours, not of the carrier's fast clock
    product.control("POST", f"calls/{target.carrier_call_id}/hang-up")
    wait_for(target, LegState.ENDED)
    wait_for(leg, LegState.ENDED)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.outcome, call.end_reason, call.transferred_to) == (Outcome.ANSWERED, EndReason.TRANSFERRED, COLLEAGUE)
    spent = CostItem.objects.get(call=call, part="carrier")
    assert spent.amount >= 2 * Decimal("0.014"), "each leg is paid for, by the started minute"


@pytest.mark.parametrize(("to", "reason"), [(BUSY, "busy"), (NOBODY, "no_answer")])
def test_a_transfer_to_nobody_brings_the_caller_back(product, name, media, to, reason):
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    wait_until(lambda: media.opened)
    transfers.begin_transfer(leg.call_id, to=to)
    media.cut()  # as a session does that has seen to the transfer
    wait_until(lambda: len(media.opened) >= 2, story=leg)
    assert media.opened[0][0] != media.opened[-1][0]
    call = Call.objects.get(pk=leg.call_id)
    assert (call.transferred_to, call.is_live) == ("", True)
    failed = call.events.get(kind="transfer_failed")
    assert failed.data["reason"] in {reason, "not_reached"}
    target = call.legs.get(party=Party.TARGET)
    wait_for(target, LegState.ENDED)
    assert target.outcome == reason
    assert not leg.events.filter(kind="media_lost").exists()
    ending.request_end(call.pk, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)


def test_a_transfer_that_the_carrier_refuses_later_brings_the_caller_back(product, name, media):
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    wait_until(lambda: media.opened)
    product.fault("rest_500", times=1)
    transfers.begin_transfer(leg.call_id, to=COLLEAGUE)
    media.cut()
    wait_until(lambda: len(media.opened) >= 2, story=leg)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.transferred_to, call.is_live) == ("", True)
    assert call.events.filter(kind="transfer_failed").count() == 1
    ending.request_end(call.pk, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)


def test_a_transfer_that_the_carrier_refuses_leaves_the_call_with_us(product, name, media):
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    wait_until(lambda: media.opened)
    product.fault("rest_500", times=1)
    with pytest.raises(TransferFailed):
        transfers.transfer_call(leg.call_id, to=COLLEAGUE)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.transferred_to, call.is_live) == ("", True)
    assert call.legs.get(party=Party.TARGET).outcome == Outcome.NOT_PLACED
    ending.request_end(call.pk, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    with pytest.raises(TransferFailed):
        transfers.transfer_call(leg.call_id, to=COLLEAGUE)


def test_a_call_is_taken_back_while_it_rings(product, name):
    leg = call_number(name, NOBODY)
    wait_until(lambda: Leg.objects.get(pk=leg.pk).carrier_call_id)
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    assert leg.outcome == Outcome.CANCELED


def has_verdict(leg: Leg) -> bool:
    return bool(Leg.objects.get(pk=leg.pk).answered_by)


def test_a_machine_is_told_from_a_person(product, name, media):
    machine, person = "+12125556209", "+12125556200"
    legs = {Outcome.VOICEMAIL: call_number(name, machine), Outcome.ANSWERED: call_number(name, person)}
    for outcome, leg in legs.items():
        wait_until(partial(has_verdict, leg), story=leg)
        ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
        wait_for(leg, LegState.ENDED)
        assert leg.outcome == outcome
        assert leg.events.filter(kind="machine_verdict").exists()


def test_sound_and_keys_come_over_the_media_socket(product, name, media):
    media.speaks = True
    leg = wait_for(call_number(name, "+12125556227"), LegState.ANSWERED)  # who presses 9 instead of answering us
    wait_until(lambda: Dtmf("9") in media.frames, story=leg)
    assert any(isinstance(frame, Audio) for frame in media.frames)
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)


def test_the_carrier_records_pauses_and_hands_over_its_file(product, name, media, tmp_path):
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    carrier_recordings.start_recording(leg.call_id)
    time.sleep(0.3)
    carrier_recordings.pause_recording(leg.call_id, reason="card")
    carrier_recordings.resume_recording(leg.call_id)
    time.sleep(0.2)
    carrier_recordings.stop_recording(leg.call_id)
    wait_until(lambda: Recording.objects.filter(call_id=leg.call_id).exists(), story=leg)
    recording = Recording.objects.get(call_id=leg.call_id)
    assert (recording.source, recording.state, recording.channels) == ("carrier", "ready", 2)
    assert recording.size > 1000
    assert recording.started_at <= datetime.now(UTC)
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    with pytest.raises(carrier_recordings.RecordingFailed):
        carrier_recordings.stop_recording(leg.call_id)
