import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.carriers.twilio.media import MAX_MESSAGE_CHARS, TwilioMediaCodec
from apps.calls.media.frames import (
    PCMU_8K,
    Audio,
    Clear,
    Dtmf,
    HangUp,
    Mark,
    MarkReached,
    MediaProtocolError,
    StreamStarted,
    StreamStopped,
)

SID = "MZ" + "0" * 32
START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": SID,
    "start": {
        "accountSid": "AC1",
        "streamSid": SID,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"call_id": "42"},
    },
}
PAYLOAD = base64.b64encode(b"\x55" * 160).decode()


def media(number: int, payload: object = PAYLOAD, **fields) -> str:
    message = {
        "event": "media",
        "sequenceNumber": str(number),
        "streamSid": SID,
        "media": {"track": "inbound", "chunk": str(number), "timestamp": "20", "payload": payload},
    }
    return json.dumps({**message, **fields})


@pytest.fixture
def codec() -> TwilioMediaCodec:
    codec = TwilioMediaCodec()
    assert codec.decode('{"event":"connected","protocol":"Call","version":"1.0.0"}') is None
    codec.decode(json.dumps(START))
    return codec


def test_a_stream_begins_with_whose_it_is():
    assert TwilioMediaCodec().decode(json.dumps(START)) == StreamStarted(
        stream_id=SID, carrier_call_id="CA1", account_id="AC1", format=PCMU_8K, parameters={"call_id": "42"}
    )


def test_audio_keeps_its_text(codec):
    frame = codec.decode(media(2))
    assert frame == Audio(PAYLOAD, 160)
    assert (frame.data, frame.ms) == (b"\x55" * 160, 20)


def test_the_other_messages_become_frames(codec):
    base = {"streamSid": SID}
    assert codec.decode(json.dumps({**base, "event": "mark", "sequenceNumber": "2", "mark": {"name": "0-500"}})) == (
        MarkReached("0-500")
    )
    dtmf = {**base, "event": "dtmf", "sequenceNumber": "3", "dtmf": {"track": "inbound_track", "digit": "#"}}
    assert codec.decode(json.dumps(dtmf)) == Dtmf("#")
    assert codec.decode(json.dumps({**base, "event": "tomorrow", "sequenceNumber": "4"})) is None
    stop = {**base, "event": "stop", "sequenceNumber": "5", "stop": {"accountSid": "AC1", "callSid": "CA1"}}
    assert codec.decode(json.dumps(stop)) == StreamStopped()


def test_frames_become_messages_of_the_stream(codec):
    def sent(frame) -> dict:
        return json.loads(codec.encode(frame))

    assert sent(Audio.of(b"\x55" * 160)) == {"event": "media", "streamSid": SID, "media": {"payload": PAYLOAD}}
    assert sent(Mark("0-5")) == {"event": "mark", "streamSid": SID, "mark": {"name": "0-5"}}
    assert sent(Clear()) == {"event": "clear", "streamSid": SID}
    assert codec.encode(HangUp()) is None


def test_audio_of_our_own_voice_is_not_the_callers(codec):
    outbound = {"track": "outbound", "chunk": "1", "timestamp": "20", "payload": PAYLOAD}
    assert codec.decode(media(2, media=outbound)) is None


def test_frames_lost_on_the_way_are_counted(codec):
    codec.decode(media(2))
    codec.decode(media(6))
    assert codec.n_missing == 3


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "malformed"),
        ("not json", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ('"media"', "malformed"),
        ("{}", "malformed"),
        ('{"event":"media"}', "malformed"),
        ("[" * 5000, "malformed"),
        (media(2, payload=None), "malformed"),
        (media(2, payload=7), "malformed"),
        (media(2, sequenceNumber="two"), "malformed"),
        (media(2, sequenceNumber=None), "malformed"),
        (media(2, media=[]), "malformed"),
        (media(2, payload="*" * 216), "bad_payload"),
        (media(2, payload="AAA"), "bad_payload"),
        (media(2, payload='AAAA"}],"x":"'), "bad_payload"),
        (media(2, payload="AAAA\n"), "bad_payload"),
        (media(2, payload="A" * MAX_MESSAGE_CHARS), "oversized"),
        (media(2, streamSid="MZ" + "1" * 32), "wrong_stream"),
        (media(1), "out_of_order"),
        (media(-5), "out_of_order"),
        (json.dumps(START), "out_of_order"),
        ('{"event":"connected"}', "out_of_order"),
    ],
)
def test_what_the_protocol_does_not_allow_is_named(codec, message, code):
    with pytest.raises(MediaProtocolError) as error:
        codec.decode(message)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mediaFormat": {"encoding": "audio/l16", "sampleRate": 8000}}, "unknown_format"),
        ({"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 16000}}, "unknown_format"),
        ({"mediaFormat": {}}, "malformed"),
        ({"callSid": None}, "malformed"),
        ({"callSid": "C" * 1000}, "malformed"),
        ({"customParameters": "x"}, "malformed"),
    ],
)
def test_a_start_we_cannot_use_is_refused(change, code):
    with pytest.raises(MediaProtocolError) as error:
        TwilioMediaCodec().decode(json.dumps({**START, "start": {**START["start"], **change}}))
    assert error.value.code == code


@pytest.mark.parametrize("message", [media(1), json.dumps({"event": "stop", "sequenceNumber": "1", "streamSid": SID})])
def test_nothing_may_come_before_the_start(message):
    with pytest.raises(MediaProtocolError) as error:
        TwilioMediaCodec().decode(message)
    assert error.value.code == "out_of_order"


def test_nothing_may_come_after_the_stop(codec):
    codec.decode(json.dumps({"event": "stop", "sequenceNumber": "2", "streamSid": SID, "stop": {}}))
    with pytest.raises(MediaProtocolError):
        codec.decode(media(3))


NAMES = ("event", "media", "payload", "start", "mark", "name", "streamSid", "sequenceNumber", "track")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@given(anything)
def test_no_message_whatsoever_raises_anything_else(value):
    codec = TwilioMediaCodec()
    codec.decode(json.dumps(START))
    inside = {"event": "media", "streamSid": SID, "sequenceNumber": "2", "media": value}
    for message in (value, inside):
        with suppress(MediaProtocolError):
            codec.decode(json.dumps(message))


@given(st.binary(max_size=400))
def test_any_sound_survives_both_ways(data):
    codec = TwilioMediaCodec()
    codec.decode(json.dumps(START))
    frame = codec.decode(media(2, payload=base64.b64encode(data).decode()))
    if not data:
        assert frame is None
        return
    assert frame.data == data
    assert base64.b64decode(json.loads(codec.encode(frame))["media"]["payload"]) == data
