"""Call Control's commands: accepted or refused at once, done a moment later, told by events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from apps.sandbox.carrier import audio_files
from apps.sandbox.carrier.courier import Timeouts
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.telnyx import errors
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.call import TelnyxCall
from apps.sandbox.carrier.telnyx.requests import (
    Body,
    parse_dial,
    parse_record_from_answer,
    parse_recording,
    parse_route,
    parse_stream,
)
from apps.sandbox.speech import synthesise

Command = Callable[[TelnyxCall, Body], dict[str, object] | None]

_BEFORE_ANSWER = frozenset({"answer", "reject", "hangup", "client_state_update", "transfer"})
_DIGITS = frozenset("0123456789ABCD*#wW")
_LANGUAGES = ("en", "es", "cs")


class Commands:
    """`POST /v2/calls/{call_control_id}/actions/{action}`."""

    def __init__(self, account: TelnyxAccount) -> None:
        self._account = account
        self._commands: dict[str, Command] = {
            "answer": self._answer,
            "bridge": self._bridge,
            "client_state_update": self._update_client_state,
            "hangup": self._hang_up,
            "playback_start": self._start_playback,
            "playback_stop": self._stop_playback,
            "record_pause": self._pause_recording,
            "record_resume": self._resume_recording,
            "record_start": self._start_recording,
            "record_stop": self._stop_recording,
            "reject": self._reject,
            "send_dtmf": self._send_dtmf,
            "speak": self._speak,
            "streaming_start": self._start_stream,
            "streaming_stop": self._stop_stream,
            "transfer": self._transfer,
        }

    def carry_out(self, call_control_id: str, method: str, action: str, body: Body) -> dict[str, object]:
        """What the answer holds besides "ok"; raises TelnyxError."""
        command = self._commands.get(action)
        expected = "PUT" if action == "client_state_update" else "POST"
        if command is None or method != expected:
            raise errors.not_found(f"/calls/{call_control_id}/actions/{action}")
        call = self._account.find(call_control_id)
        if not call.is_alive:
            raise errors.already_ended()
        if not call.is_answered and action not in _BEFORE_ANSWER:
            raise errors.not_answered()
        command_id = body.text("command_id")
        if command_id and call.is_repeated(command_id):
            call.record.note("command_repeated", action=action, command_id=command_id)
            return {}
        state = body.client_state()
        result = command(call, body)
        if state is not None:
            call.client_state = state
        call.record.note("command", action=action)
        return result or {}

    # ---- the call itself

    def _answer(self, call: TelnyxCall, body: Body) -> None:
        if not call.is_incoming:
            raise errors.is_outbound()
        if call.is_taken:
            raise errors.bad_argument("call_control_id", "The call has already been answered.")
        stream, recording = parse_stream(body), parse_record_from_answer(body)
        call.route = parse_route(body, call.route)
        call.take(stream=stream, recording=recording)

    def _reject(self, call: TelnyxCall, body: Body) -> None:
        cause = body.choice("cause", ("CALL_REJECTED", "USER_BUSY"), body.required("cause"))
        if not call.is_incoming:
            raise errors.is_outbound()
        if call.is_taken:
            raise errors.bad_argument("call_control_id", "The call has already been answered.")
        call.reject(cause)

    def _hang_up(self, call: TelnyxCall, _body: Body) -> None:
        call.hang_up("api")

    def _update_client_state(self, _call: TelnyxCall, body: Body) -> None:
        body.required("client_state")

    def _transfer(self, call: TelnyxCall, body: Body) -> None:
        if not call.is_answered and not call.is_incoming:
            raise errors.not_answered()
        # Fields that concern the new leg; client_state belongs to the present one.
        fields = {name: value for name, value in body.data.items() if name not in {"client_state", "command_id"}}
        if "target_leg_client_state" in fields:
            fields["client_state"] = body.client_state("target_leg_client_state")
        our_side = call.record.to if call.is_incoming else call.record.from_
        wanted = parse_dial(Body(fields), call.route, connection_id=call.request.connection_id, from_=our_side)
        if not call.is_answered:
            call.take(stream=None, recording=None)
        self._account.dial(wanted, link=call)

    def _bridge(self, call: TelnyxCall, body: Body) -> None:
        other = self._account.find(body.required("call_control_id"))
        if not other.is_alive:
            raise errors.already_ended()
        if not other.is_answered:
            raise errors.not_answered()
        if other is call:
            raise errors.bad_argument("call_control_id", "A call cannot be bridged with itself.")
        call.bridge_with(other)

    def _send_dtmf(self, call: TelnyxCall, body: Body) -> None:
        digits = body.required("digits")
        if not set(digits) <= _DIGITS:
            raise errors.bad("digits", "digits may hold 0-9, A-D, *, #, w and W.")
        body.number("duration_millis", 250, least=100, most=500)
        call.start_digits(digits)

    # ---- audio

    def _start_stream(self, call: TelnyxCall, body: Body) -> None:
        body.required("stream_url")
        options = parse_stream(body)
        if call.has_stream:
            raise errors.streaming_in_use()
        if options is not None:
            call.start_stream(options)

    def _stop_stream(self, call: TelnyxCall, body: Body) -> None:
        stream = call.stream
        if stream is None or body.text("stream_id") not in {"", stream.sid}:
            raise errors.streaming_not_in_use()
        stream.stop()

    def _speak(self, call: TelnyxCall, body: Body) -> None:
        text, _voice = body.required("payload"), body.required("voice")
        language = body.text("language", "en")[:2].lower()
        call.start_playback(self._say(call, text, language if language in _LANGUAGES else "en"))

    async def _say(self, call: TelnyxCall, text: str, language: str) -> None:
        mulaw = await asyncio.to_thread(synthesise, text, language, "b")
        call.tell("call.speak.started")
        status = "call_hangup"
        try:
            await call.play(mulaw)
            status = "completed"
        finally:
            call.tell("call.speak.ended", {"status": status})

    def _start_playback(self, call: TelnyxCall, body: Body) -> None:
        url = body.url("audio_url")
        if not url:
            raise errors.missing("audio_url")
        loop = body.data.get("loop", 1)
        times = loop if isinstance(loop, int) and not isinstance(loop, bool) else 1000
        call.start_playback(self._play(call, url, times))

    async def _play(self, call: TelnyxCall, url: str, times: int) -> None:
        reply = await self._account.events.http(url, "GET", {}, None, Timeouts(), follows=True)
        try:
            mulaw = audio_files.decode(reply.body, reply.content_type) if reply.is_ok else b""
        except audio_files.UnknownAudio as error:
            call.record.note("debugger", code=90053, message=str(error))
            mulaw = b""
        facts: dict[str, object] = {"media_url": url, "overlay": False}
        if not mulaw:
            call.tell("call.playback.ended", facts | {"status": "file_not_found", "status_detail": "nothing to play"})
            return
        call.tell("call.playback.started", facts)
        status = "cancelled"
        try:
            for _ in range(times):
                await call.play(mulaw)
            status = "completed"
        finally:
            call.tell("call.playback.ended", facts | {"status": status})

    def _stop_playback(self, call: TelnyxCall, body: Body) -> None:
        body.choice("stop", ("all", "current"), "all")
        call.stop_playback()

    # ---- recordings

    def _start_recording(self, call: TelnyxCall, body: Body) -> dict[str, object]:
        options = parse_recording(body)
        if call.recorders():
            raise errors.bad_argument("call_control_id", "The call is already being recorded.")
        return {"recording_id": call.start_recording(options).record.sid}

    def _stop_recording(self, call: TelnyxCall, body: Body) -> None:
        for recorder in list(self._recorders(call, body)):
            call.finish_recording(recorder)

    def _pause_recording(self, call: TelnyxCall, body: Body) -> None:
        for recorder in self._recorders(call, body):
            recorder.pause(skips=True)

    def _resume_recording(self, call: TelnyxCall, body: Body) -> None:
        for recorder in self._recorders(call, body):
            recorder.resume()

    def _recorders(self, call: TelnyxCall, body: Body) -> list[Recorder]:
        recorders = call.recorders(body.text("recording_id"))
        if not recorders:
            raise errors.bad_argument("recording_id", "The call is not being recorded.")
        return recorders
