"""The media sockets of all carriers: who speaks which codec, and who shows what at the door."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from apps.calls.carriers.telnyx.media import TOKEN_HEADER, TelnyxMediaCodec, socket_secret
from apps.calls.carriers.twilio.media import TwilioMediaCodec
from apps.calls.carriers.twilio.webhooks import is_signed
from apps.calls.media.frames import LineFrame, ToLine


class MediaCodec(Protocol):
    """One stream's codec: text messages of the carrier's to frames of ours, and back.

    stream_id: "" until the stream has started. n_missing: frames that never arrived.
    """

    stream_id: str
    n_missing: int

    def decode(self, message: str) -> LineFrame | None:
        """A frame, or None for a message that says nothing to us. Raises MediaProtocolError."""
        ...

    def encode(self, frame: ToLine) -> str | None:
        """The message for a frame; None for HangUp, which is the closing of the socket."""
        ...


def codec_for(carrier: str) -> MediaCodec:
    """A new stream's codec. Raises KeyError for a carrier that is not known."""
    return _CODECS[carrier]()


def is_media_signed(
    carrier: str, scope: Mapping[str, Any], *, origin: str, media_token: str, secrets: Sequence[str]
) -> bool:
    """Whether it is the carrier that asks for the media socket of this token.

    scope: of ASGI. origin: PUBLIC_MEDIA_ORIGIN, never the Host header. secrets: what may have signed it, for Twilio;
    the keys the socket's own secret may be derived from, for Telnyx. Raises KeyError for a carrier that is not known.
    """
    return _DOORS[carrier](scope, origin, media_token, secrets)


def _is_twilio(scope: Mapping[str, Any], origin: str, media_token: str, secrets: Sequence[str]) -> bool:
    """Twilio signs the very address that we gave it, byte for byte, and no address with a query."""
    signature = _only_header(scope, b"x-twilio-signature")
    if scope["query_string"] or not signature:
        return False
    try:
        url = origin + scope["raw_path"].decode("ascii")
    except UnicodeDecodeError:
        return False
    return is_signed(url, None, signature, secrets)


def _is_telnyx(scope: Mapping[str, Any], origin: str, media_token: str, secrets: Sequence[str]) -> bool:
    """Telnyx signs nothing here: it shows the secret that the command gave it for this one socket."""
    shown = _only_header(scope, TOKEN_HEADER).encode()
    is_good = False
    for key in secrets:
        is_good |= hmac.compare_digest(socket_secret(media_token, key).encode(), shown)
    return is_good and not scope["query_string"]


def _only_header(scope: Mapping[str, Any], name: bytes) -> str:
    """The header's value; "" if it is missing, there twice, or not ASCII."""
    given = [value for key, value in scope["headers"] if key == name]
    try:
        return given[0].decode("ascii") if len(given) == 1 else ""
    except UnicodeDecodeError:
        return ""


_CODECS: dict[str, Callable[[], MediaCodec]] = {"twilio": TwilioMediaCodec, "telnyx": TelnyxMediaCodec}
_DOORS: dict[str, Callable[[Mapping[str, Any], str, str, Sequence[str]], bool]] = {
    "twilio": _is_twilio,
    "telnyx": _is_telnyx,
}
