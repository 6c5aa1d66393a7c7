"""The carrier's media socket: who may open it, and the conversation it carries."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, ClassVar

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings

from apps.calls import adapters
from apps.calls.bridge import metrics
from apps.calls.bridge.call_watcher import CallWatcher
from apps.calls.bridge.plan import CallPlan
from apps.calls.bridge.session import Session
from apps.calls.bridge.sink import Cause
from apps.calls.carriers.media import MediaCodec, codec_for, is_media_signed
from apps.calls.media.frames import HangUp, LineFrame, MediaProtocolError, StreamStarted, StreamStopped, ToLine
from apps.calls.media_process import MediaProcess, Receive, Scope, Send
from apps.calls.plans import StreamRefused, bound_ids, load_plan
from apps.calls.session_sink import SessionSink
from apps.calls.voice_ai.base import VoiceAI, VoiceAIError
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)

_PLAN_S = 5.0
_START_S = 10.0
_CLOSE_S = 2.0
_NORMAL, _POLICY = 1000, 1008


class WebSocketLine:
    """A carrier's socket as the session's Line. receive and send are the ASGI server's own."""

    def __init__(self, receive: Receive, send: Send, codec: MediaCodec) -> None:
        self._receive = receive
        self._send = send
        self._codec = codec
        self._is_open = True

    @property
    def n_missing(self) -> int:
        return self._codec.n_missing

    async def start(self) -> StreamStarted | None:
        """The frame that opens the stream; None if the socket closes instead. Raises MediaProtocolError."""
        try:
            async with asyncio.timeout(_START_S), aclosing(self.frames()) as frames:
                async for frame in frames:
                    if isinstance(frame, StreamStarted):
                        return frame
        except TimeoutError as error:
            raise MediaProtocolError("no_start") from error
        return None

    async def frames(self) -> AsyncGenerator[LineFrame, None]:
        receive, decode = self._receive, self._codec.decode
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                self._is_open = False
                return
            text = message.get("text")
            if text is None:
                raise MediaProtocolError("binary")
            frame = decode(text)
            if frame is not None:
                yield frame
                if type(frame) is StreamStopped:
                    return

    async def send(self, frame: ToLine) -> None:
        """To a carrier that has gone it says nothing: frames() ends, and that says it all."""
        if not self._is_open:
            return
        try:
            text = self._codec.encode(frame)
            if text is not None:
                await self._send({"type": "websocket.send", "text": text})
            elif isinstance(frame, HangUp) and not frame.is_abrupt:
                await self.close(_NORMAL)
        except OSError:
            self._is_open = False

    async def close(self, code: int) -> None:
        """A carrier that reads no more is not waited for: what was said to it may never leave."""
        if self._is_open:
            self._is_open = False
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._send({"type": "websocket.close", "code": code})


class MediaConsumer(AsyncConsumer):
    """One media stream. It reads the socket itself: Channels' dispatch costs twenty times as much per frame."""

    process: ClassVar[MediaProcess]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        process = type(self).process
        await receive()  # websocket.connect
        if not process.has_room:
            await self._refuse(send, 503, "draining" if process.is_draining else "full")
            return
        carrier, token = (scope["url_route"]["kwargs"][name] for name in ("carrier", "media_token"))
        origin, secrets = settings.PUBLIC_MEDIA_ORIGIN, adapters.media_secrets(carrier)
        if not is_media_signed(carrier, scope, origin=origin, media_token=token, secrets=secrets):
            await self._refuse(send, 403, "bad_signature")
            return
        with process.place():
            try:
                async with asyncio.timeout(_PLAN_S):
                    plan = await process.in_thread(load_plan, token, carrier)
            except StreamRefused as error:
                await self._refuse(send, 403, error.reason)
                return
            except Exception:
                log.exception("plan_not_loaded")
                await self._refuse(send, 503, "no_plan")
                return
            with structlog.contextvars.bound_contextvars(**bound_ids(plan)):
                await send({"type": "websocket.accept"})
                await self._converse(plan, WebSocketLine(receive, send, codec_for(carrier)))

    async def _converse(self, plan: CallPlan, line: WebSocketLine) -> None:
        """From the stream's start to its end. The token is used: what goes wrong from here on ends this call only."""
        process = type(self).process
        sounds = process.messages.sounds_for(plan.answering.recorded.values())
        try:
            started = await line.start()
            if started is None:
                return
            _check_start(started, plan)
        except MediaProtocolError as error:
            metrics.PROTOCOL_ERRORS.labels(plan.carrier, error.code).inc()
            log.warning("media_stream_refused", code=error.code)
            await line.close(_POLICY)
            return
        log.info("session_started", voice_ai=plan.provider)
        sink = SessionSink(
            plan=plan, journal=process.journal, in_thread=process.in_thread, in_tool_thread=process.in_tool_thread
        )
        recorder = process.recorders.recorder_for(plan, sink.event)
        sink.is_secret = recorder.was_paused
        session = Session(
            line=line,
            voice_ai_for=_voice_ai_for,
            plan=plan,
            sink=sink,
            recorder=recorder,
            watcher=CallWatcher(plan, sounds),
            phrases=process.phrases,
        )
        process.commands.add(plan.call_id, session)
        try:
            end = await session.run()
        finally:
            process.commands.remove(plan.call_id, session)
        if end.cause is Cause.CARRIER_FAILED:
            metrics.PROTOCOL_ERRORS.labels(plan.carrier, end.detail).inc()
        if line.n_missing:
            metrics.FRAMES_MISSING.labels(plan.carrier).inc(line.n_missing)
        log.info("session_ended", cause=str(end.cause), detail=end.detail, n_missing=line.n_missing)

    @staticmethod
    async def _refuse(send: Send, status: int, reason: str) -> None:
        metrics.STREAMS_REFUSED.labels(reason).inc()
        log.warning("media_stream_refused", reason=reason)
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})


def _voice_ai_for(provider: str) -> VoiceAI:
    """As the session wants it: a provider that is not set up is one that cannot be reached."""
    try:
        return adapters.voice_ai_for(provider)
    except DomainError as error:
        raise VoiceAIError(error.code, retryable=False) from error


def _check_start(started: StreamStarted, plan: CallPlan) -> None:
    """The stream must be of the call that its token was made for. Raises MediaProtocolError."""
    if started.carrier_call_id != plan.carrier_call_id or not plan.carrier_call_id:
        raise MediaProtocolError("wrong_call")
    if plan.account_id and started.account_id != plan.account_id:
        raise MediaProtocolError("wrong_account")


def media_consumer(process: MediaProcess) -> Any:
    """The ASGI application of one process's media sockets."""
    bound: Any = type("MediaConsumer", (MediaConsumer,), {"process": process})
    return bound.as_asgi()
