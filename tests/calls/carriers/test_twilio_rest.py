"""Twilio's REST interface through the official SDK, against the carrier process."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.calls.adapters import webhooks_for
from apps.calls.carriers.base import CarrierError, Fault, LineStatus, PlaceRequest
from apps.calls.carriers.twilio.rest import TwilioCarrier
from tests.calls.conftest import CarrierProcess, free_port

FROM = "+13025550100"


@pytest.fixture
def twilio(carrier: CarrierProcess, settings):
    client = TwilioCarrier(
        account_sid=settings.TWILIO_ACCOUNT_SID,
        auth_token=settings.TWILIO_AUTH_TOKEN,
        api_base=carrier.base,
        timeout_s=1,
    )
    yield client
    client.close()


def request(to: str = "+12125550113", **fields) -> PlaceRequest:
    defaults = {"ring_timeout_s": 25, "max_duration_s": 600, "detect_machine": True}
    return PlaceRequest(
        to=to, from_=FROM, token="token", webhooks=webhooks_for("twilio", "token"), **{**defaults, **fields}
    )


def test_a_call_is_placed_shown_found_and_hung_up(twilio, carrier):
    before = datetime.now(UTC) - timedelta(seconds=2)
    placed = twilio.place(request())
    assert (placed.to, placed.from_, placed.status) == ("+12125550113", FROM, LineStatus.QUEUED)
    assert [call.id for call in twilio.find(to="+12125550113", from_=FROM, since=before, token="token")] == [placed.id]
    assert twilio.find(to="+12125550113", from_=FROM, since=datetime.now(UTC) + timedelta(hours=9), token="token") == []
    assert twilio.find(to="+12125550199", from_=FROM, since=before, token="token") == []
    twilio.hang_up(placed.id)
    carrier.wait_until_over("+12125550113")
    news = twilio.fetch(placed.id)
    assert (news.carrier_call_id, news.status) == (placed.id, LineStatus.CANCELED)
    with pytest.raises(CarrierError) as error:
        twilio.hang_up(placed.id)
    assert (error.value.fault, error.value.code, error.value.retryable) == (Fault.OVER, "21220", False)
    assert error.value.request_id.startswith("RQ")


def test_a_call_the_carrier_does_not_know_is_none(twilio):
    assert twilio.fetch("CA" + "f" * 32) is None


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (400, 21211, Fault.NUMBER),
        (400, 21214, Fault.NUMBER),
        (400, 21215, Fault.NUMBER),
        (400, 21216, Fault.NUMBER),
        (400, 21210, Fault.CONFIG),
        (401, 20003, Fault.CONFIG),
        (400, 10001, Fault.CONFIG),
        (400, 99999, Fault.CONFIG),
        (429, 20429, Fault.LIMIT),
        (400, 10004, Fault.LIMIT),
    ],
)
def test_refusals_are_told_apart_by_their_code(twilio, carrier, status, code, fault):
    carrier.fault("rest_error", times=1, status=status, code=code, message="Because.")
    with pytest.raises(CarrierError, match="Because") as error:
        twilio.place(request())
    assert (error.value.fault, error.value.code) == (fault, str(code))
    assert error.value.retryable == (fault is Fault.LIMIT)
    assert not error.value.maybe_placed
    assert carrier.calls_to("+12125550113") == []


@pytest.mark.parametrize("fault", [{"kind": "rest_500"}, {"kind": "rest_reset"}, {"kind": "rest_timeout", "hold_s": 2}])
def test_no_answer_to_a_request_for_a_call_may_mean_a_call(twilio, carrier, fault):
    carrier.fault(times=1, **fault)
    with pytest.raises(CarrierError) as error:
        twilio.place(request())
    assert (error.value.fault, error.value.maybe_placed) == (Fault.OUTAGE, True)
    assert carrier.n_creates("+12125550113") == 1  # and it was not repeated behind our back


def test_no_answer_to_a_question_changes_nothing(twilio, carrier):
    placed = twilio.place(request())
    carrier.fault("rest_500", times=1, method="GET")
    with pytest.raises(CarrierError) as error:
        twilio.fetch(placed.id)
    assert (error.value.retryable, error.value.maybe_placed) == (True, False)


def test_nobody_there_means_nothing_was_asked():
    twilio = TwilioCarrier(account_sid="AC1", auth_token="x", api_base=f"http://127.0.0.1:{free_port()}", timeout_s=1)
    with pytest.raises(CarrierError) as error:
        twilio.place(request())
    assert (error.value.fault, error.value.maybe_placed) == (Fault.OUTAGE, False)
    twilio.close()


def test_phone_numbers_do_not_reach_the_log(twilio, caplog):
    with caplog.at_level("DEBUG"):
        twilio.place(request())
        twilio.find(to="+12125550113", from_=FROM, since=datetime.now(UTC), token="token")
    assert "5550113" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("twilio")
    )
