import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.carriers.telnyx.media import MAX_MESSAGE_CHARS, TelnyxMediaCodec
from apps.calls.media.audio import decode_pcmu, encode_pcma
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

STREAM = "32de0dea-53cb-4b21-89a4-9e1819c043bc"
PAYLOAD = base64.b64encode(b"\x55" * 160).decode()


def start(encoding: str = "PCMU", **fields: Any) -> str:
    facts = {
        "user_id": "3e6f995f-85f7-4705-9741-53b116d28237",
        "call_control_id": "v3:MdI91X4lWFEs7Ig",
        "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
        "from": "+15550100002",
        "to": "+15550100001",
        "tags": [],
        "client_state": "YXR0ZW1wdD00Mg==",
        "media_format": {"encoding": encoding, "sample_rate": 8000, "channels": 1},
        **fields,
    }
    return json.dumps({"event": "start", "sequence_number": "1", "stream_id": STREAM, "start": facts})


def media(chunk: object, payload: object = PAYLOAD, **fields: Any) -> str:
    content = {"track": "inbound", "chunk": chunk, "timestamp": "5", "payload": payload}
    return json.dumps({"event": "media", "sequence_number": "4", "stream_id": STREAM, "media": content, **fields})


def sound(fill: int) -> str:
    return base64.b64encode(bytes([fill]) * 160).decode()


@pytest.fixture
def codec() -> TelnyxMediaCodec:
    codec = TelnyxMediaCodec()
    assert codec.decode('{"event":"connected","version":"1.0.0"}') is None
    codec.decode(start())
    return codec


@pytest.mark.parametrize(
    "hello",
    [
        '{"event":"connected"}',
        '{"event":"connected","version":"1.0.0","x-telnyx-streaming-auth-token":"t"}',
        '{"event":"connected","protocol":"Call","version":"1.0.0","connected":{"x-telnyx-streaming-auth-token":"t"}}',
    ],
)
def test_a_stream_begins_with_whose_it_is(hello):
    codec = TelnyxMediaCodec()
    assert codec.decode(hello) is None
    assert codec.decode(start()) == StreamStarted(
        stream_id=STREAM,
        carrier_call_id="v3:MdI91X4lWFEs7Ig",
        account_id="3e6f995f-85f7-4705-9741-53b116d28237",
        format=PCMU_8K,
    )


def test_audio_keeps_its_text(codec):
    assert codec.decode(media("1")) == Audio(PAYLOAD, 160)
    assert codec.decode(media(2, "")) is None  # numbers are numbers, too


def test_a_law_becomes_mu_law():
    codec = TelnyxMediaCodec()
    assert codec.decode(start("PCMA")).format == PCMU_8K
    pcm = decode_pcmu(bytes(range(0, 160)))
    frame = codec.decode(media("1", base64.b64encode(encode_pcma(pcm)).decode()))
    assert frame.n_bytes == 160
    heard, said = memoryview(decode_pcmu(frame.data)).cast("h"), memoryview(pcm).cast("h")
    assert max(abs(a - b) for a, b in zip(heard, said, strict=True)) < 1100  # one step of the coarsest range


@pytest.mark.parametrize("encoding", ["G722", "OPUS", "L16", ""])
def test_what_we_cannot_hear_is_refused_aloud(encoding):
    with pytest.raises(MediaProtocolError, match="unknown_format"):
        TelnyxMediaCodec().decode(start(encoding))


def test_frames_that_overtook_each_other_leave_in_order(codec):
    assert codec.decode(media("1", sound(1))).data[:1] == b"\x01"
    assert codec.decode(media("3", sound(3))) is None
    assert codec.decode(media("4", sound(4))) is None
    caught_up = codec.decode(media("2", sound(2)))
    assert (caught_up.n_bytes, caught_up.data[::160]) == (480, b"\x02\x03\x04")
    assert codec.decode(media("5", sound(5))).data[:1] == b"\x05"
    assert codec.n_missing == 0


def test_a_frame_that_never_comes_is_waited_for_a_little_and_counted(codec):
    codec.decode(media("1"))
    assert [codec.decode(media(str(n), sound(n))) for n in (3, 4, 5)] == [None, None, None]
    late = codec.decode(media("6", sound(6)))
    assert late.data[::160] == b"\x03\x04\x05\x06"
    assert codec.n_missing == 1
    assert codec.decode(media("2", sound(2))) is None
    assert codec.decode(media("6", sound(6))) is None  # a second time
    assert codec.decode(media("7", sound(7))).n_bytes == 160


def test_a_stream_may_begin_at_any_number(codec):
    assert codec.decode(media("17")).n_bytes == 160
    assert codec.decode(media("18")).n_bytes == 160
    assert codec.n_missing == 0


def test_the_other_messages_become_frames(codec):
    base = {"stream_id": STREAM, "sequence_number": "5"}
    assert codec.decode(json.dumps({**base, "event": "mark", "mark": {"name": "0-500"}})) == MarkReached("0-500")
    assert codec.decode(json.dumps({**base, "event": "dtmf", "dtmf": {"digit": "#"}})) == Dtmf("#")
    error = {"code": 100003, "title": "malformed_frame", "detail": "?"}
    assert codec.decode(json.dumps({"event": "error", "stream_id": STREAM, "payload": error})) is None
    assert codec.decode(json.dumps({**base, "event": "tomorrow"})) is None
    stop = {"user_id": "u", "call_control_id": "v3:MdI91X4lWFEs7Ig"}
    assert codec.decode(json.dumps({**base, "event": "stop", "stop": stop})) == StreamStopped()
    with pytest.raises(MediaProtocolError, match="out_of_order"):
        codec.decode(media("9"))


def test_frames_become_messages(codec):
    def sent(frame) -> dict:
        return json.loads(codec.encode(frame))

    assert sent(Audio.of(b"\x55" * 160)) == {"event": "media", "media": {"payload": PAYLOAD}}
    assert sent(Mark("0-5")) == {"event": "mark", "mark": {"name": "0-5"}}
    assert sent(Clear()) == {"event": "clear"}
    assert codec.encode(HangUp()) is None


def test_nothing_shorter_than_it_plays_is_sent(codec):
    short = json.loads(codec.encode(Audio.of(b"\x55" * 40)))["media"]["payload"]
    assert base64.b64decode(short) == b"\x55" * 40 + b"\xff" * 120


def test_our_own_voice_is_not_the_callers(codec):
    outbound = {"track": "outbound", "chunk": "1", "timestamp": "20", "payload": PAYLOAD}
    assert codec.decode(media("1", media=outbound)) is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "malformed"),
        ("null", "malformed"),
        ("[" * 5000, "malformed"),
        ('{"event":"media"}', "malformed"),
        (media("1", None), "malformed"),
        (media("1", 7), "malformed"),
        (media("one"), "malformed"),
        (media(None), "malformed"),
        (media("1", media=[]), "malformed"),
        (media("1", "*" * 216), "bad_payload"),
        (media("1", PAYLOAD + '"}}'), "bad_payload"),
        (media("1", stream_id="another"), "wrong_stream"),
        (media("1", "/" * MAX_MESSAGE_CHARS), "oversized"),
        (start(), "out_of_order"),
        ('{"event":"connected"}', "out_of_order"),
        (json.dumps({"event": "dtmf", "stream_id": STREAM, "dtmf": {"digit": 1}}), "malformed"),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(codec, message, code):
    with pytest.raises(MediaProtocolError) as error:
        codec.decode(message)
    assert error.value.code == code


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_comes_is_a_frame_nothing_or_a_refusal(content):
    codec = TelnyxMediaCodec()
    codec.decode(start())
    for event in ("start", "media", "mark", "dtmf", "stop", "connected", "error"):
        with suppress(MediaProtocolError):
            codec.decode(json.dumps({"event": event, "stream_id": STREAM, event: content}))
    with suppress(MediaProtocolError):
        codec.decode(json.dumps(content))


@given(st.permutations(list(range(1, 12))))
def test_in_whatever_order_they_come_no_frame_is_told_twice_nor_out_of_order(order):
    codec = TelnyxMediaCodec()
    codec.decode(start())
    told = b""
    for chunk in order:
        frame = codec.decode(media(str(chunk), sound(chunk)))
        told += frame.data[::160] if frame is not None else b""
    assert list(told) == sorted(set(told))
