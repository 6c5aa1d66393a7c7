"""The handshakes: who may come in, and which parameters make sense. Refusals give their reason in `dg-error`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import Final

import numpy as np
from aiohttp import WSMsgType, web

from ..desk import Desk, json_response
from ..g711 import alaw_to_mulaw, decode, encode, mulaw_to_alaw
from ..outgoing import Outgoing
from .flux import FluxSession
from .listen import ListenOptions, ListenSession
from .speak import SpeakSession

LISTEN: Final = "deepgram/listen"
SPEAK: Final = "deepgram/speak"
_NOVA: Final = ("nova-3", "nova-3-general", "nova-2", "nova-2-phonecall")
_FLUX: Final = ("flux-general-en", "flux-general-multi")
_VOICE: Final = re.compile(r"aura(?:-2)?-[a-z]+-(?:en|es)")
_LANGUAGES: Final = ("multi", "en", "en-US", "en-GB", "es", "es-419", "cs")
_LARGEST_MESSAGE: Final = 2**20
# Trouble that is for the other part unless this one is named.
_LEAVE_TO_SPEAK: Final = ("disconnect", "expire", "slow", "stall", "garbage", "unknown_event", "response_failed")
_LEAVE_TO_LISTEN: Final = ("transcription_failed",)
_REASONS: Final = {
    401: "Invalid credentials.",
    402: "Project does not have enough credits for the request.",
    403: "Insufficient permissions.",
    429: "Too many requests. Please try again later.",
    503: "The service is temporarily unavailable.",
}


class _Unfit(Exception):
    """The query asks for what there is not."""


class DeepgramDoor:
    """listen_patience_s: how long a listening socket may bring neither sound nor KeepAlive."""

    def __init__(self, desk: Desk, api_key: str, *, listen_patience_s: float = 10.0) -> None:
        self._desk = desk
        self._api_key = api_key
        self._listen_patience_s = listen_patience_s

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/listen", self._listen),
            web.get("/v2/listen", self._flux),
            web.get("/v1/speak", self._speak),
        ]

    def _refusal(self, request: web.Request, part: str) -> web.Response | None:
        ordered = self._desk.faults.take("refuse", part)
        if ordered is not None:
            status = int(ordered.settings.get("status", 503))
            response = _refused(status, _REASONS.get(status, "The request was refused."))
            if status in (429, 503):
                response.headers["Retry-After"] = str(ordered.settings.get("retry_after_s", 1))
            return response
        given = request.headers.get("Authorization", "")
        if not self._api_key or not hmac.compare_digest(given.encode(), f"Token {self._api_key}".encode()):
            return _refused(401, _REASONS[401])
        return None

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request, LISTEN)) is not None:
            return refusal
        try:
            options = _listen_options(request)
        except _Unfit as unfit:
            return _refused(400, str(unfit))
        faults = self._desk.faults.for_new_session(LISTEN, leave=_LEAVE_TO_SPEAK)
        ws, line = await _opened(request)
        session = ListenSession(self._desk.world, options, line, faults, patience_s=self._listen_patience_s)
        return await self._serve(LISTEN, session, ws, line)

    async def _flux(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request, LISTEN)) is not None:
            return refusal
        query = request.query
        unknown = set(query) & {"interim_results", "endpointing", "vad_events", "smart_format", "language"}
        if query.get("model") not in _FLUX or unknown:
            return _refused(400, f"Bad Request: unknown model or parameters {sorted(unknown)}.")
        try:
            options = ListenOptions(
                query["model"], "multi", tuple(query.getall("language_hint", [])), _decoder(request)
            )
        except _Unfit as unfit:
            return _refused(400, str(unfit))
        faults = self._desk.faults.for_new_session(LISTEN, leave=_LEAVE_TO_SPEAK)
        ws, line = await _opened(request)
        return await self._serve(LISTEN, FluxSession(self._desk.world, options, line, faults), ws, line)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request, SPEAK)) is not None:
            return refusal
        model = request.query.get("model", "aura-2-thalia-en")
        if not _VOICE.fullmatch(model):
            return _refused(400, f"Bad Request: No such model {model}.")
        encoders: dict[str, Callable[[bytes], bytes]] = {
            "mulaw": bytes,
            "alaw": mulaw_to_alaw,
            "linear16": lambda mulaw: decode(mulaw).astype("<i2").tobytes(),
        }
        encoder = encoders.get(request.query.get("encoding", "linear16"))
        if encoder is None or request.query.get("sample_rate") != "8000":
            return _refused(400, "Bad Request: Unsupported audio format; here it is 8000 Hz mulaw, alaw or linear16.")
        faults = self._desk.faults.for_new_session(SPEAK, leave=_LEAVE_TO_LISTEN)
        ws, line = await _opened(request)
        return await self._serve(SPEAK, SpeakSession(self._desk.world, model, encoder, line, faults), ws, line)

    async def _serve(
        self, part: str, session: ListenSession | FluxSession | SpeakSession, ws: web.WebSocketResponse, line: Outgoing
    ) -> web.WebSocketResponse:
        with self._desk.attended(part, session, ws, line):
            session.open()
            while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if message.type is WSMsgType.BINARY:
                    session.receive_audio(message.data)
                else:
                    session.receive_text(message.data)
        return ws


async def _opened(request: web.Request) -> tuple[web.WebSocketResponse, Outgoing]:
    ws = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, compress=False, decode_text=False, timeout=2.0)
    await ws.prepare(request)
    return ws, Outgoing(ws, request)


def _listen_options(request: web.Request) -> ListenOptions:
    query = request.query
    model, language, hints = query.get("model", ""), query.get("language", "en"), query.getall("language_hint", [])
    if model not in _NOVA or language not in _LANGUAGES:
        raise _Unfit("Bad Request: No such model/language/tier combination found.")
    if hints and language != "multi":
        raise _Unfit("Bad Request: language_hint needs language=multi.")
    interim = _flag(query.get("interim_results"))
    end = query.get("utterance_end_ms")
    if end is not None and (not interim or not end.isdecimal() or int(end) < 1000):
        raise _Unfit("Bad Request: utterance_end_ms needs interim_results and at least 1000.")
    pause = query.get("endpointing", "10")
    if pause not in ("true", "false") and not pause.isdecimal():
        raise _Unfit("Bad Request: endpointing is milliseconds or false.")
    return ListenOptions(
        model=model,
        language=language,
        hints=tuple(code.partition("-")[0] for code in hints),
        to_mulaw=_decoder(request),
        interim_results=interim,
        endpointing_ms=None if pause == "false" else 10 if pause == "true" else int(pause),
        utterance_end_ms=int(end) if end is not None else None,
        vad_events=_flag(query.get("vad_events")),
    )


def _decoder(request: web.Request) -> Callable[[bytes], bytes]:
    if request.query.get("sample_rate") != "8000" or request.query.get("channels", "1") != "1":
        raise _Unfit("Bad Request: Unsupported audio format; here it is 8000 Hz on one channel.")
    decoders: dict[str, Callable[[bytes], bytes]] = {
        "mulaw": bytes,
        "alaw": alaw_to_mulaw,
        "linear16": _linear_to_mulaw,
    }
    encoding = request.query.get("encoding", "")
    if encoding not in decoders:
        raise _Unfit(f"Bad Request: Unsupported encoding {encoding!r}; here it is mulaw, alaw or linear16.")
    return decoders[encoding]


def _linear_to_mulaw(data: bytes) -> bytes:
    return encode(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16))


def _flag(value: str | None) -> bool:
    return value == "true"


def _refused(status: int, reason: str) -> web.Response:
    response = json_response({"err_code": "REQUEST_REFUSED", "err_msg": reason, "request_id": ""}, status=status)
    response.headers["dg-error"] = reason
    return response
