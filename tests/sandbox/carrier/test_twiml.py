"""What documents make the carrier do."""

from __future__ import annotations

import io
import wave

import pytest

from apps.sandbox.carrier.twilio.interpreter import DocumentError, parse_twiml
from apps.sandbox.speech import tone
from tests.sandbox.carrier.product import wait_until

SILENT = "+15550100108"


async def run(carrier, product, document, to=SILENT, **kwargs):
    """Place a call answered by this document and wait for its end."""
    product.documents["/voice/t0"] = document
    call = await carrier.place(to, url=f"{product.origin}/voice/t0", **kwargs)
    return call, await carrier.ended(call.sid)


def codes(history) -> list[int]:
    return [entry["code"] for entry in history["history"] if entry["event"] == "debugger"]


def answered_s(history, speed: float = 20) -> float:
    """How long the call was up, in sandbox seconds."""
    at = {entry["status"]: entry["at"] for entry in history["history"] if entry["event"] == "status"}
    return float(at["completed"] - at["in-progress"]) * speed


@pytest.mark.parametrize("text", ["", "not xml", "<Response>", "<Wrong/>"])
def test_what_is_not_a_document_is_12100(text):
    with pytest.raises(DocumentError) as error:
        parse_twiml(text)
    assert error.value.code == 12100


async def test_say_takes_the_time_of_its_words(carrier, product):
    _, short = await run(carrier, product, "<Response><Say>Hi.</Say></Response>")
    _, long = await run(
        carrier, product, "<Response><Say language='cs-CZ'>Dobrý den, jak se máte dnes?</Say></Response>"
    )
    assert answered_s(short) > 0.2
    assert answered_s(long) > 1.8


async def test_twiml_given_with_the_call_needs_no_fetch(carrier, product):
    call = await carrier.place(SILENT, twiml="<Response><Pause length='1'/></Response>")
    history = await carrier.ended(call.sid)
    assert answered_s(history) > 0.9
    assert product.requests == []


async def test_play_fetches_a_wav(carrier, product):
    out = io.BytesIO()
    with wave.open(out, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16000)
        wav.writeframes(b"\x00\x10" * 32000)
    product.documents["/a.wav"] = (200, "audio/x-wav", "")
    body = out.getvalue()

    from aiohttp import web

    original = product._hook

    async def serve_wav(request):
        return (
            web.Response(body=body, content_type="audio/x-wav") if request.path == "/a.wav" else await original(request)
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve_wav)
    from tests.sandbox.carrier.conftest import serve

    runner, origin = await serve(app)
    try:
        _, history = await run(carrier, product, f"<Response><Play>{origin}/a.wav</Play></Response>")
        assert answered_s(history) > 1.9
        assert codes(history) == []
        _, missing = await run(carrier, product, "<Response><Play>/nothing.wav</Play></Response>")
        assert codes(missing) == [11200]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ((500, "text/plain", "sorry"), 11200),
        ((200, "text/xml", "<Response><Say>"), 12100),
        ((200, "application/json", "{}"), 12300),
    ],
)
async def test_a_bad_document_goes_to_the_fallback(carrier, product, document, code):
    product.documents["/fallback"] = "<Response><Pause length='1'/></Response>"
    _, history = await run(carrier, product, document, fallback_url=f"{product.origin}/fallback")
    (asked,) = product.of("/fallback")
    assert (asked["ErrorCode"], asked["ErrorUrl"]) == (str(code), f"{product.origin}/voice/t0")
    assert codes(history) == [code]


async def test_without_a_fallback_the_callee_hears_an_error_and_the_call_ends(carrier, product):
    _, history = await run(carrier, product, "oops")
    assert codes(history) == [12100]
    assert history["status"] == "completed"
    assert answered_s(history) > 3


async def test_redirects_without_end_are_stopped(carrier, product):
    _, history = await run(carrier, product, "<Response><Redirect>/voice/t0</Redirect></Response>")
    assert len(product.of("/voice/t0")) == 20
    assert [e["documents"] for e in history["history"] if e["event"] == "redirect_loop"] == [21]


async def test_unknown_verbs_are_passed_over(carrier, product):
    _, history = await run(carrier, product, "<Response><Dance/><Redirect>/next</Redirect></Response>")
    assert 12200 in codes(history)
    assert len(product.of("/next")) == 1


async def test_gather_takes_keys(carrier, product):
    product.documents["/digits"] = "<Response><Hangup/></Response>"
    document = (
        "<Response><Say>Good day, here is Northwind.</Say><Gather numDigits='1' timeout='5' action='/digits'>"
        "<Say>Press nine.</Say></Gather><Redirect>/nothing</Redirect></Response>"
    )
    await run(carrier, product, document, to="+15550100127")
    (asked,) = product.of("/digits")
    assert asked["Digits"] == "9"
    assert product.of("/nothing") == []


async def test_gather_without_keys_goes_on(carrier, product):
    document = "<Response><Gather timeout='1' action='/digits'/><Redirect>/nothing</Redirect></Response>"
    await run(carrier, product, document)
    assert len(product.of("/nothing")) == 1
    assert product.of("/digits") == []


async def test_gather_takes_words(carrier, product):
    gather = "<Gather input='speech' timeout='8' action='/words'/>"
    document = f"<Response><Say>Good day, here is Northwind.</Say>{gather}</Response>"
    await run(carrier, product, document, to="+15550100103")
    (asked,) = product.of("/words")
    assert "list" in asked["SpeechResult"] or "number" in asked["SpeechResult"] or "Stop" in asked["SpeechResult"]


async def test_keys_sent_lead_through_a_menu(carrier, product):
    document = "<Response><Pause length='4'/><Play digits='ww1'/><Pause length='12'/></Response>"
    _, history = await run(carrier, product, document, to="+15550100111")
    said = [e["intent"] for e in history["history"] if e["event"] == "callee_said"]
    assert said[:3] == ["ivr_menu", "ivr_connecting", "greeting"]


async def test_a_menu_is_repeated_and_gives_up(carrier, product):
    _, history = await run(carrier, product, "<Response><Pause length='60'/></Response>", to="+15550100111")
    said = [e["intent"] for e in history["history"] if e["event"] == "callee_said"]
    assert said == ["ivr_menu", "ivr_menu", "ivr_menu", "goodbye"]


async def test_dial_joins_two_people(carrier, product):
    product.documents["/dialled"] = "<Response><Hangup/></Response>"
    product.documents["/whisper"] = "<Response><Say>A customer for you.</Say></Response>"
    document = (
        "<Response><Dial action='/dialled' callerId='+15550100501' timeout='20'>"
        f"<Number url='/whisper' statusCallback='{product.origin}/leg' statusCallbackEvent='answered completed'>"
        "+15550100200</Number></Dial></Response>"
    )
    call, history = await run(carrier, product, document, to="+15550100105")
    said = [e["intent"] for e in history["history"] if e["event"] == "callee_said"]
    assert said[:2] == ["greeting", "wants_human"]  # they heard the person on the other leg
    (leg, *_) = product.of("/leg", CallStatus="in-progress")
    assert (leg["ParentCallSid"], leg["Direction"], leg["From"]) == (call.sid, "outbound-dial", "+15550100501")
    other = await carrier.history(leg["CallSid"])
    assert [e["intent"] for e in other["history"] if e["event"] == "callee_said"][:2] == ["greeting", "interested"]


async def test_dial_to_a_busy_line_reports_and_goes_on(carrier, product):
    product.documents["/dialled"] = "<Response><Hangup/></Response>"
    document = "<Response><Dial action='/dialled'>+15550100112</Dial></Response>"
    await run(carrier, product, document)
    (asked,) = product.of("/dialled")
    assert (asked["DialCallStatus"], asked["DialBridged"]) == ("busy", "false")


async def test_an_inbound_call_reaches_its_number(carrier, product):
    product.documents["/inbound"] = product.connect()

    async def greet(session):
        await session.until("media")
        await session.say("Good day, you have reached Northwind. How may I help you?")
        await product.converse(session)

    product.talk = greet
    answer = await carrier.control(
        "POST",
        "inbound",
        {
            "from": "+15550100199",
            "to": "+15550100500",
            "voice_url": f"{product.origin}/inbound",
            "status_callback": f"{product.origin}/status",
            "persona": "asks_price",
            "language": "es",
        },
    )
    assert answer["http_status"] == 201
    history = await carrier.ended(answer["sid"])
    (asked,) = product.of("/inbound")
    assert (asked["CallStatus"], asked["Direction"], asked["To"]) == ("ringing", "inbound", "+15550100500")
    said = [(e["intent"], e["language"]) for e in history["history"] if e["event"] == "callee_said"]
    assert said[:2] == [("interested", "es"), ("question_price", "es")]
    (final,) = await product.wait_for("/status")
    assert final["CallStatus"] == "completed"


async def test_an_inbound_call_is_rejected(carrier, product):
    product.documents["/inbound"] = "<Response><Reject reason='busy'/></Response>"
    body = {"from": "+15550100100", "to": "+15550100500", "voice_url": f"{product.origin}/inbound"}
    answer = await carrier.control("POST", "inbound", body)
    assert (await carrier.ended(answer["sid"]))["status"] == "busy"


@pytest.mark.parametrize("change", [{"from": "x"}, {"persona": "nobody"}, {"language": "de"}, {"voice_url": "ftp://x"}])
async def test_a_bad_inbound_request_is_refused(carrier, product, change):
    body = {"from": "+15550100100", "to": "+15550100500", "voice_url": f"{product.origin}/i"} | change
    assert (await carrier.control("POST", "inbound", body))["http_status"] == 400


def test_tones_are_whole_frames():
    assert len(tone(1000.0, 0.51)) % 160 == 0


async def test_an_update_takes_a_caller_from_the_stream_to_a_second_person(carrier, product):
    product.documents["/voice/t0"] = product.connect()
    call = await carrier.place("+15550100105", url=f"{product.origin}/voice/t0")
    await wait_until(lambda: product.sessions)
    transfer = "<Response><Dial><Number>+15550100200</Number></Dial></Response>"
    await carrier.call(carrier.sdk.calls(call.sid).update, twiml=transfer)
    history = await carrier.ended(call.sid)
    (other_sid,) = history["bridged_with"]
    other = await carrier.history(other_sid)
    assert (other["to"], other["bridged_with"], other["direction"]) == ("+15550100200", [call.sid], "outbound-dial")
    assert other["heard_s"] > 0.5
    assert product.sessions[0].messages[-1]["event"] == "stop"


async def test_a_call_comes_in_as_its_number_is_set_up(carrier, product):
    number = "+15550100901"
    settings = {"voice_url": f"{product.origin}/inbound", "status_callback": f"{product.origin}/status"}
    assert (await carrier.control("PUT", f"numbers/{number}", settings))["http_status"] == 200
    product.documents["/inbound"] = "<Response><Reject reason='busy'/></Response>"
    answer = await carrier.control("POST", "inbound", {"from": "+15550100100", "to": number})
    (asked,) = await product.wait_for("/inbound")
    assert (asked["Direction"], asked["CallSid"], asked["To"]) == ("inbound", answer["sid"], number)
    (final,) = await product.wait_for("/status")
    assert final["CallStatus"] == "busy"
    listed = await carrier.control("GET", "numbers")
    assert [own["number"] for own in listed["numbers"]] == [number]
    nothing = await carrier.control("POST", "inbound", {"from": "+15550100100", "to": "+15550100902"})
    assert (nothing["http_status"], "voice_url" in nothing["error"]) == (400, True)


async def test_a_caller_has_patience_as_long_as_it_rings(carrier, product):
    product.documents["/dialled"] = "<Response><Hangup/></Response>"
    document = "<Response><Dial action='/dialled' timeout='50'>+15550100113</Dial></Response>"
    _, history = await run(carrier, product, document, to="+15550100100")
    (asked,) = product.of("/dialled")
    assert asked["DialCallStatus"] == "no-answer"
    assert history["duration_s"] >= 45
