"""What every carrier's REST side promises, through its official SDK, against the sandbox's server for it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

import pytest
from redis.exceptions import ConnectionError as RedisGone

from apps.calls import adapters
from apps.calls.adapters import webhooks_for
from apps.calls.carriers.base import Carrier, CarrierError, Fault, LineStatus, PlaceRequest, seconds_of
from apps.calls.carriers.capabilities import CAPABILITIES
from tests.calls.conftest import CarrierProcess, free_port

FROM = "+13025550100"
NOBODY_ANSWERS = "+12125550113"
_n = count(1)


@pytest.fixture(params=sorted(CAPABILITIES))
def line(request, carrier: CarrierProcess, settings) -> Iterator[Carrier]:
    """One of the carriers, at the sandbox."""
    settings.CARRIER_TIMEOUT_S = 1
    adapters.carrier_for.cache_clear()
    line = adapters.carrier_for(request.param)
    yield line
    line.close()
    adapters.carrier_for.cache_clear()


def request_for(line: Carrier, to: str = NOBODY_ANSWERS, **fields) -> PlaceRequest:
    token = fields.pop("token", f"token-{next(_n)}")
    media = adapters.media_target(line.name, "m" * 32)
    defaults = {"ring_timeout_s": 25, "max_duration_s": 600, "detect_machine": True, "media": media}
    webhooks = webhooks_for(line.name, token)
    return PlaceRequest(to=to, from_=FROM, token=token, webhooks=webhooks, **{**defaults, **fields})


def never_heard_of(line: Carrier) -> str:
    return {"twilio": "CA" + "f" * 32, "telnyx": "v3:" + "f" * 60}[line.name]


def test_a_call_is_placed_found_seen_and_hung_up_while_it_rings(line, carrier):
    since = datetime.now(UTC) - timedelta(seconds=2)
    request = request_for(line)
    placed = line.place(request)
    assert (placed.to, placed.from_, placed.status) == (NOBODY_ANSWERS, FROM, LineStatus.QUEUED)
    time.sleep(0.05)
    found = line.find(to=NOBODY_ANSWERS, from_=FROM, since=since, token=request.token)
    assert [call.id for call in found] == [placed.id]
    live = line.fetch(placed.id)
    assert live is not None
    assert not live.status.is_final
    line.hang_up(placed.id)
    assert carrier.wait_until_over(NOBODY_ANSWERS) == "canceled"
    over = line.fetch(placed.id)
    assert over.carrier_call_id == placed.id
    assert over.status is (LineStatus.CANCELED if line.capabilities.finds_ended else LineStatus.OVER)
    with pytest.raises(CarrierError) as error:
        line.hang_up(placed.id)
    assert (error.value.fault, error.value.retryable, error.value.maybe_placed) == (Fault.OVER, False, False)
    assert error.value.code
    assert error.value.request_id


def test_only_the_very_call_is_found(line):
    since = datetime.now(UTC) - timedelta(seconds=2)
    request = request_for(line)
    line.place(request)
    find = {"to": NOBODY_ANSWERS, "from_": FROM, "since": since, "token": request.token}
    assert line.find(**find)
    if line.capabilities.finds_ended:  # by numbers and time, for want of a word of ours
        assert line.find(**find | {"to": "+12125550199"}) == []
        assert line.find(**find | {"since": datetime.now(UTC) + timedelta(hours=9)}) == []
    else:
        assert line.find(**find | {"token": "another"}) == []


def test_a_call_the_carrier_does_not_know_is_none(line):
    assert line.fetch(never_heard_of(line)) is None
    with pytest.raises(CarrierError) as error:
        line.hang_up(never_heard_of(line))
    assert error.value.fault is Fault.OVER


@pytest.mark.parametrize(
    ("name", "status", "code", "fault"),
    [
        ("twilio", 400, 21211, Fault.NUMBER),
        ("twilio", 400, 21214, Fault.NUMBER),
        ("twilio", 400, 21215, Fault.NUMBER),
        ("twilio", 400, 21216, Fault.NUMBER),
        ("twilio", 400, 21210, Fault.CONFIG),
        ("twilio", 401, 20003, Fault.CONFIG),
        ("twilio", 400, 10001, Fault.CONFIG),
        ("twilio", 400, 99999, Fault.CONFIG),
        ("twilio", 429, 20429, Fault.LIMIT),
        ("twilio", 400, 10004, Fault.LIMIT),
        ("telnyx", 422, 10016, Fault.NUMBER),
        ("telnyx", 401, 10009, Fault.CONFIG),
        ("telnyx", 403, 10010, Fault.CONFIG),
        ("telnyx", 422, 10027, Fault.CONFIG),
        ("telnyx", 422, 90057, Fault.CONFIG),
        ("telnyx", 422, 99999, Fault.CONFIG),
        ("telnyx", 429, 10011, Fault.LIMIT),
        ("telnyx", 403, 90041, Fault.LIMIT),
        ("telnyx", 422, 90043, Fault.LIMIT),
    ],
)
def test_refusals_are_told_apart_by_their_code(carrier, name, status, code, fault):
    line = adapters.carrier_for(name)
    carrier.fault("rest_error", times=1, status=status, code=code, message="Because.")
    with pytest.raises(CarrierError, match="Because") as error:
        line.place(request_for(line))
    assert (error.value.fault, error.value.code) == (fault, str(code))
    assert error.value.retryable == (fault is Fault.LIMIT)
    assert not error.value.maybe_placed
    assert carrier.calls_to(NOBODY_ANSWERS) == []


def test_a_number_of_ours_that_telnyx_will_not_show_is_nobody_elses_fault(carrier):
    line = adapters.carrier_for("telnyx")
    request = request_for(line)
    with pytest.raises(CarrierError) as error:
        line.place(replace(request, from_="02079460000"))
    assert (error.value.code, error.value.fault) == ("10016", Fault.CONFIG)


def test_when_to_come_again_is_read_in_every_form():
    in_five_hours = format_datetime(datetime.now(UTC) + timedelta(hours=5), usegmt=True)
    assert (seconds_of("7"), seconds_of(" 0.5 ")) == (7, 0.5)
    assert 17_000 < seconds_of(in_five_hours) <= 18_000


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-3", "0", "nan", "inf", "1798675200", "²", "Sun, 06 Nov 1994 08:49:37 GMT"]
)
def test_what_names_no_time_to_come_is_no_wait(header):
    assert seconds_of(header) is None


def test_a_number_that_cannot_be_called_is_its_own_fault(line, carrier):
    with pytest.raises(CarrierError) as error:
        line.place(request_for(line, to="+12125550190"))
    assert error.value.fault is Fault.NUMBER


def test_too_many_requests_say_when_to_come_again_and_are_not_repeated_by_the_sdk(line, carrier):
    carrier.fault("rest_429", times=1, retry_after_s=7)
    with pytest.raises(CarrierError) as error:
        line.place(request_for(line))
    assert (error.value.fault, error.value.retryable, error.value.maybe_placed) == (Fault.LIMIT, True, False)
    assert error.value.retry_after_s == 7
    assert carrier.n_creates(NOBODY_ANSWERS) == 1
    assert line.place(request_for(line)).id


@pytest.mark.parametrize("fault", [{"kind": "rest_500"}, {"kind": "rest_reset"}, {"kind": "rest_timeout", "hold_s": 2}])
def test_no_answer_to_a_request_for_a_call_may_mean_a_call(line, carrier, fault):
    carrier.fault(times=1, **fault)
    with pytest.raises(CarrierError) as error:
        line.place(request_for(line))
    assert (error.value.fault, error.value.maybe_placed) == (Fault.OUTAGE, True)
    assert carrier.n_creates(NOBODY_ANSWERS) == 1  # and it was not repeated behind our back


@pytest.mark.parametrize("kind", ["rest_500", "rest_reset"])
def test_no_answer_to_a_question_changes_nothing(line, carrier, kind):
    placed = line.place(request_for(line))
    carrier.fault(kind, times=1, method="GET")
    with pytest.raises(CarrierError) as error:
        line.fetch(placed.id)
    assert (error.value.fault, error.value.retryable, error.value.maybe_placed) == (Fault.OUTAGE, True, False)


def test_a_call_that_a_lost_answer_left_in_doubt_is_found(line, carrier):
    since = datetime.now(UTC) - timedelta(seconds=2)
    carrier.fault("rest_timeout", times=1, hold_s=2)
    request = request_for(line)
    with pytest.raises(CarrierError):
        line.place(request)
    found = line.find(to=NOBODY_ANSWERS, from_=FROM, since=since, token=request.token)
    assert [call.id for call in found] == [carrier.calls_to(NOBODY_ANSWERS)[0]["sid"]]


@pytest.mark.parametrize("name", sorted(CAPABILITIES))
def test_nobody_there_means_nothing_was_asked(name, settings):
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings.TWILIO_API_BASE, settings.TELNYX_API_BASE = nowhere, f"{nowhere}/v2"
    settings.CARRIER_TIMEOUT_S = 1
    adapters.carrier_for.cache_clear()
    line = adapters.carrier_for(name)
    try:
        with pytest.raises(CarrierError) as error:
            line.place(request_for(line))
        assert (error.value.fault, error.value.maybe_placed) == (Fault.OUTAGE, False)
    finally:
        line.close()
        adapters.carrier_for.cache_clear()


def test_the_last_moment_before_a_call_is_asked_for_belongs_to_the_pace(line, carrier):
    began = []
    placed = line.place(request_for(line, before_send=lambda: began.append(carrier.n_creates(NOBODY_ANSWERS))))
    assert began == [0]
    assert placed.id
    line.fetch(placed.id)
    assert len(began) == 1, "a question is not paced"


def test_without_a_turn_nothing_is_sent(line, carrier):
    def break_down() -> None:
        raise RedisGone("no clock")

    with pytest.raises(RedisGone):
        line.place(request_for(line, before_send=break_down))
    assert carrier.n_creates(NOBODY_ANSWERS) == 0


def test_keys_are_played_where_that_is_declared(line):
    if line.capabilities.sends_dtmf:
        placed = line.place(request_for(line))
        with pytest.raises(CarrierError) as error:  # nobody has answered yet
            line.send_dtmf(placed.id, "1")
        assert error.value.fault is Fault.OVER
    else:
        with pytest.raises(CarrierError) as error:
            line.send_dtmf("CA1", "1")
        assert error.value.fault is Fault.CONFIG


def test_phone_numbers_do_not_reach_the_log(line, caplog):
    with caplog.at_level("DEBUG"):
        request = request_for(line)
        line.place(request)
        line.find(to=NOBODY_ANSWERS, from_=FROM, since=datetime.now(UTC), token=request.token)
    chatty = ("twilio", "telnyx", "httpx", "httpcore", "urllib3")
    assert "5550113" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith(chatty))


def test_the_same_request_twice_dials_once_where_the_carrier_can_tell(carrier):
    line = adapters.carrier_for("telnyx")
    request = request_for(line)
    assert line.place(request).id == line.place(request).id
    assert len(carrier.calls_to(NOBODY_ANSWERS)) == 1
