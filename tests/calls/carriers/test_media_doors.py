"""Who may open a media socket, by carrier."""

import pytest

from apps.calls.carriers.media import codec_for, is_media_signed
from apps.calls.carriers.telnyx.media import TelnyxMediaCodec, socket_secret
from apps.calls.carriers.twilio.media import TwilioMediaCodec
from tests.factories.calls import signature

ORIGIN = "wss://voice.example.com"
TOKEN = "t" * 32
KEY, OTHER_KEY = "k" * 50, "o" * 50


def scope(carrier: str, *headers: tuple[str, str], query: str = "", path: str = "") -> dict:
    raw = (path or f"/media/{carrier}/{TOKEN}").encode()
    return {
        "raw_path": raw,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


def is_open(carrier: str, asked: dict, *secrets: str, token: str = TOKEN) -> bool:
    return is_media_signed(carrier, asked, origin=ORIGIN, media_token=token, secrets=secrets)


def test_each_carrier_has_its_codec():
    assert isinstance(codec_for("twilio"), TwilioMediaCodec)
    assert isinstance(codec_for("telnyx"), TelnyxMediaCodec)
    assert codec_for("telnyx") is not codec_for("telnyx")
    with pytest.raises(KeyError):
        codec_for("another")


def test_twilio_signs_the_very_address():
    good = ("x-twilio-signature", signature(f"{ORIGIN}/media/twilio/{TOKEN}", {}, "secret"))
    assert is_open("twilio", scope("twilio", good), "secret")
    assert is_open("twilio", scope("twilio", good), "new", "secret")
    assert not is_open("twilio", scope("twilio", good), "new")
    assert not is_open("twilio", scope("twilio", good))
    assert not is_open("twilio", scope("twilio", good, query="a=1"), "secret")
    assert not is_open("twilio", scope("twilio", good, path=f"/media/twilio/{'u' * 32}"), "secret")
    assert not is_open("twilio", scope("twilio", good, path="/media/twilio/é"), "secret")
    assert not is_open("twilio", scope("twilio", good, good), "secret")
    assert not is_open("twilio", scope("twilio", ("x-twilio-signature", "é")), "secret")
    assert not is_open("twilio", scope("twilio"), "secret")
    as_https = signature(f"https://voice.example.com/media/twilio/{TOKEN}", {}, "secret")
    assert not is_open("twilio", scope("twilio", ("x-twilio-signature", as_https)), "secret")


def test_telnyx_shows_the_secret_of_the_one_socket():
    def showing(secret: str) -> dict:
        return scope("telnyx", ("x-telnyx-streaming-auth-token", secret))

    good = socket_secret(TOKEN, KEY)
    assert is_open("telnyx", showing(good), KEY)
    assert is_open("telnyx", showing(good), OTHER_KEY, KEY)  # while one key takes over from the other
    assert not is_open("telnyx", showing(good), OTHER_KEY)
    assert not is_open("telnyx", showing(good))
    assert not is_open("telnyx", showing(good), KEY, token="u" * 32)
    assert not is_open("telnyx", showing(good.upper()), KEY)
    assert not is_open("telnyx", showing(""), KEY)
    assert not is_open("telnyx", scope("telnyx"), KEY)
    twice = ("x-telnyx-streaming-auth-token", good)
    assert not is_open("telnyx", scope("telnyx", twice, twice), KEY)
    assert not is_open("telnyx", scope("telnyx", twice, query="x=1"), KEY)


def test_one_carriers_credential_opens_no_other_carriers_door():
    secret = ("x-telnyx-streaming-auth-token", socket_secret(TOKEN, KEY))
    signed = ("x-twilio-signature", signature(f"{ORIGIN}/media/twilio/{TOKEN}", {}, KEY))
    assert not is_open("twilio", scope("twilio", secret), KEY)
    assert not is_open("telnyx", scope("telnyx", signed), KEY)
