"""TwiML: fetched from the product, parsed and carried out verb by verb."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree import ElementTree

from apps.sandbox.carrier import audio_files
from apps.sandbox.carrier.call import Bridge
from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.twilio.gather import gather
from apps.sandbox.carrier.twilio.requests import CallRequest, RecordingOptions, element_hook, is_callable_number
from apps.sandbox.carrier.twilio.stream import StreamRequest
from apps.sandbox.speech import synthesise

if TYPE_CHECKING:
    from apps.sandbox.carrier.twilio.call import TwilioCall

_MAX_DOCUMENTS_WITHOUT_SOUND = 20
_APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye."
_XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})
_LANGUAGES = ("en", "es", "cs")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document comes from: a URL, or the TwiML itself. `params` are sent besides the call's own."""

    hook: Hook | None = None
    twiml: str = ""
    fallback: Hook | None = None
    params: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.hook is None and not self.twiml

    def adding(self, params: dict[str, str]) -> Source:
        return replace(self, params=self.params | params)


class DocumentError(Exception):
    """No usable TwiML: 11200 (HTTP), 11205 (no connection), 12100 (not XML) or 12300 (content type)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _HangUp(Exception):
    """The document says so."""


def parse_twiml(text: bytes | str) -> list[ElementTree.Element]:
    """The verbs of a document; raises DocumentError 12100 unless it is XML with the root <Response>."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - comes from the product this sandbox serves
    except ElementTree.ParseError as error:
        raise DocumentError(12100, f"Document parse failure: {error}") from error
    if root.tag != "Response":
        raise DocumentError(12100, f"Document parse failure: the root is <{root.tag}>, not <Response>")
    return list(root)


class Interpreter:
    """Carries out documents on one call until one of them ends without naming another."""

    def __init__(self, call: TwilioCall) -> None:
        self._call = call
        self._base_url = ""
        self._n_silent_documents = 0
        self._fallback: Hook | None = None
        self._verbs: dict[str, Callable[[ElementTree.Element], Awaitable[Source | None]]] = {
            "Connect": self._connect,
            "Dial": self._dial,
            "Gather": self._gather,
            "Hangup": self._hang_up,
            "Pause": self._pause,
            "Play": self._play,
            "Redirect": self._redirect,
            "Reject": self._reject,
            "Say": self._say,
            "Start": self._start,
            "Stop": self._stop,
        }

    async def run(self, source: Source) -> None:
        """Return when the call has nothing more to do."""
        next_source: Source | None = source
        self._fallback = source.fallback
        try:
            while next_source is not None:
                self._n_silent_documents += 1
                if self._n_silent_documents > _MAX_DOCUMENTS_WITHOUT_SOUND:
                    self._call.record.note("redirect_loop", documents=self._n_silent_documents)
                    return
                next_source = await self._document(next_source)
        except _HangUp:
            return

    async def _document(self, source: Source) -> Source | None:
        try:
            verbs = await self._load(source)
        except DocumentError as error:
            self._call.record.note("debugger", code=error.code, message=str(error))
            if self._fallback is not None and source.hook != self._fallback:
                failed_url = source.hook.url if source.hook else ""
                return Source(self._fallback, params={"ErrorCode": str(error.code), "ErrorUrl": failed_url})
            self._answer()
            await self._call.play(synthesise(_APPLICATION_ERROR, "en", "b"))
            raise _HangUp from error
        for verb in verbs:
            carry_out = self._verbs.get(verb.tag)
            if carry_out is None:
                self._call.record.note("debugger", code=12200, message=f"the sandbox has no verb <{verb.tag}>")
                continue
            next_source = await carry_out(verb)
            if next_source is not None:
                return next_source
        return None

    async def _load(self, source: Source) -> list[ElementTree.Element]:
        if source.hook is None:
            return parse_twiml(source.twiml)
        params = self._call.voice_params() | source.params
        webhooks = self._call.account.webhooks
        reply = await webhooks.request(self._call.record, source.hook, params, kind="twiml")
        self._call.record.note("twiml", url=source.hook.url, status=reply.status)
        if reply.failure:
            raise DocumentError(11205 if reply.failure == "ct" else 11200, f"no answer from {source.hook.url}")
        if not reply.is_ok:
            raise DocumentError(11200, f"{source.hook.url} answered {reply.status}")
        if reply.content_type not in _XML_TYPES and reply.body:
            raise DocumentError(12300, f"content type {reply.content_type} is not XML")
        self._base_url = source.hook.url
        return parse_twiml(reply.body)

    # ---- verbs: each returns the next document's source, or None to go on

    def _answer(self) -> None:
        """An inbound call is answered by its first verb that needs a line."""
        if not self._call.is_answered:
            self._call.answer()

    async def _sound(self, mulaw: bytes, loop: str) -> None:
        self._answer()
        self._n_silent_documents = 0
        times = int(loop) if loop.isdigit() else 1
        for _ in range(times or 1000):  # 0: until hung up, at most a thousand times as at Twilio
            await self._call.play(mulaw)

    async def _say(self, verb: ElementTree.Element) -> None:
        text = "".join(verb.itertext()).strip()
        language = verb.get("language", "en")[:2].lower()
        language = language if language in _LANGUAGES else "en"
        if text:
            mulaw = await asyncio.to_thread(synthesise, text, language, "b")
            await self._sound(mulaw, verb.get("loop", "1"))

    async def _play(self, verb: ElementTree.Element) -> None:
        if digits := verb.get("digits"):
            self._answer()
            await self._call.send_digits(digits)
            return
        url = urljoin(self._base_url, (verb.text or "").strip())
        reply = await self._call.account.webhooks.request(self._call.record, Hook(url, "GET"), {}, kind="play")
        try:
            mulaw = audio_files.decode(reply.body, reply.content_type) if reply.is_ok else b""
        except audio_files.UnknownAudio as error:
            self._call.record.note("debugger", code=12300, message=str(error))
            return
        if not mulaw:
            self._call.record.note("debugger", code=11200, message=f"nothing to play at {url}")
            return
        await self._sound(mulaw, verb.get("loop", "1"))

    async def _pause(self, verb: ElementTree.Element) -> None:
        self._n_silent_documents = 0
        await self._call.exchange.clock.sleep(float(verb.get("length", "1")))

    async def _hang_up(self, _verb: ElementTree.Element) -> None:
        self._answer()
        raise _HangUp

    async def _reject(self, verb: ElementTree.Element) -> None:
        if not self._call.is_answered:
            self._call.reject(verb.get("reason", "rejected"))
        raise _HangUp

    async def _redirect(self, verb: ElementTree.Element) -> Source:
        return self._source_of((verb.text or "").strip(), verb.get("method", "POST"))

    async def _gather(self, verb: ElementTree.Element) -> Source | None:
        self._answer()
        self._n_silent_documents = 0
        result = await gather(self._call, verb, prompt=self._prompt)
        if not result and verb.get("actionOnEmptyResult", "false") != "true":
            return None
        return self._source_of(verb.get("action", ""), verb.get("method", "POST"), result)

    async def _prompt(self, verb: ElementTree.Element) -> None:
        for child in verb:
            if child.tag in {"Say", "Play", "Pause"}:
                await self._verbs[child.tag](child)

    async def _connect(self, verb: ElementTree.Element) -> Source | None:
        element = verb.find("Stream")
        if element is None:
            self._call.record.note("debugger", code=12200, message="<Connect> without <Stream>")
            return None
        self._answer()
        stream = await self._call.open_stream(_stream_request(element, is_bidirectional=True))
        if stream is not None:
            self._n_silent_documents = 0
            line = self._call.line
            if line is not None:
                line.sources.append(stream)
            try:
                await asyncio.shield(stream.over)
            finally:
                if line is not None:
                    line.sources.remove(stream)
                stream.stop()
        if action := verb.get("action"):
            return self._source_of(action, verb.get("method", "POST"))
        return None

    async def _start(self, verb: ElementTree.Element) -> None:
        self._answer()
        for element in verb:
            if element.tag == "Stream":
                await self._call.open_stream(_stream_request(element, is_bidirectional=False))
            elif element.tag == "Recording":
                self._call.start_recording(_recording_options(element, "StartCallRecordingAPI"))

    async def _stop(self, verb: ElementTree.Element) -> None:
        for element in verb.iter("Stream"):
            self._call.stop_streams(element.get("name", ""))

    async def _dial(self, verb: ElementTree.Element) -> Source | None:
        self._answer()
        self._n_silent_documents = 0
        element = verb.find("Number")
        number = ((element.text if element is not None else verb.text) or "").strip()
        params = {"DialCallStatus": "failed", "DialBridged": "false"}
        if is_callable_number(number):
            params = await self._dial_number(verb, element, number)
        else:
            self._call.record.note("debugger", code=13223, message="the sandbox dials a <Number> in E.164 only")
        if action := verb.get("action"):
            return self._source_of(action, verb.get("method", "POST"), params)
        return None

    async def _dial_number(
        self, verb: ElementTree.Element, element: ElementTree.Element | None, number: str
    ) -> dict[str, str]:
        attributes = element.attrib if element is not None else {}
        whisper = element_hook(attributes, "url", "method")
        request = CallRequest(
            to=number,
            from_=verb.get("callerId") or self._call.record.from_,
            document=Hook(urljoin(self._base_url, whisper.url), whisper.method) if whisper else None,
            twiml="",
            status_hook=element_hook(attributes, "statusCallback", "statusCallbackMethod"),
            status_events=frozenset(attributes.get("statusCallbackEvent", "completed").split()),
            ring_timeout_s=float(verb.get("timeout", "30")),
            time_limit_s=float(verb.get("timeLimit", "14400")),
        )
        child = self._call.account.dial_leg(self._call, request)
        bridged, bridge = False, None
        self._call.let_wait(rings=True)
        try:
            bridged = await asyncio.shield(child.reached)
            self._call.let_wait(rings=False)
            if bridged and self._call.line is not None and child.line is not None:
                if verb.get("record", "do-not-record") != "do-not-record":
                    self._call.start_recording(_recording_options(verb, "DialVerb"))
                bridge = Bridge(self._call, child)
            await asyncio.shield(child.over)
        finally:
            self._call.let_wait(rings=False)
            if bridge is not None:
                bridge.close()
            child.hang_up("parent")
        return {
            "DialCallStatus": child.record.status,
            "DialCallSid": child.record.sid,
            "DialCallDuration": str(child.record.duration_s or 0),
            "DialBridged": "true" if bridged else "false",
        }

    def _source_of(self, url: str, method: str, params: dict[str, str] | None = None) -> Source:
        """An empty URL means the present document's own."""
        return Source(Hook(urljoin(self._base_url, url), method.upper()), params=params or {})


def _stream_request(element: ElementTree.Element, *, is_bidirectional: bool) -> StreamRequest:
    return StreamRequest(
        url=element.get("url", ""),
        name=element.get("name", ""),
        track=element.get("track", "inbound_track"),
        is_bidirectional=is_bidirectional,
        parameters={p.get("name", ""): p.get("value", "") for p in element.findall("Parameter")},
        status_hook=element_hook(element.attrib, "statusCallback", "statusCallbackMethod"),
    )


def _recording_options(element: ElementTree.Element, source: str) -> RecordingOptions:
    is_dual = element.get("channels") == "dual" or element.get("record", "").endswith("dual")
    return RecordingOptions(
        channels=2 if is_dual else 1,
        hook=element_hook(element.attrib, "recordingStatusCallback", "recordingStatusCallbackMethod"),
        events=frozenset(element.get("recordingStatusCallbackEvent", "completed").split()),
        trims=element.get("trim") == "trim-silence",
        source=source,
    )
