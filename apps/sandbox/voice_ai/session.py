"""One client's session: what each client event does, and what the received audio sets going.

Synchronous but for the responses, which speak on in tasks of their own; everything sent goes through `send` in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from .brain import decide
from .checks import Refused
from .client_events import APPEND, appended_audio, checked, decoded, parsed
from .conversation import Conversation, Item, new_id
from .faults import Fault, FaultsInForce
from .g711 import BYTES_PER_MS, Pcm24kIn, decoder_of
from .item_events import known_item, new_item, truncate
from .memory import Record, report
from .reading import prompt_of, scene_of
from .response import CHUNK_MS, Delivery, Response, failure_of
from .scene import Reply
from .session_config import new_session, updated, vad_settings
from .timers import Timers
from .transcription import transcription_events
from .usage import Tokens, cached_part, rate_limits
from .vad import AudioBuffer, Heard, IdleTimeout, SpeechStarted
from .world import World

LONGEST_S: Final = 3600
EXPIRED: Final = "Your session hit the maximum duration of 60 minutes."
_THINKING_S: Final = 0.3
_TIMES_REAL_TIME: Final = 6  # how much faster than speech the audio is made
_TRANSCRIPTION_S: Final = (0.05, 0.7)  # before the reply, after it has begun: both happen
_SHORTEST_COMMIT_MS: Final = 100


class Session:
    """send: one JSON message. hang_up: close the socket with (code, reason); code None drops it without a word."""

    def __init__(
        self,
        world: World,
        model: str,
        send: Callable[[bytes], None],
        hang_up: Callable[[int | None, str], None],
        faults: list[Fault] | None = None,
    ) -> None:
        self.world = world
        self.config = new_session(session_id=new_id("sess"), model=model, expires_at=int(time.time()) + LONGEST_S)
        self.record = Record(self.config["id"], model)
        self.conversation = Conversation()
        self._send = send
        self._hang_up = hang_up
        self._faults = FaultsInForce()
        self._first_faults = faults or []
        self._buffer = AudioBuffer()
        self._to_mulaw: Callable[[bytes], bytes] = Pcm24kIn()
        self._response: Response | None = None
        self._aside: set[Response] = set()
        self._n_responses = 0
        self._n_events = 0
        self._n_transcripts = 0
        self._has_spoken = False
        self._is_stalled = False
        self._was_configured = False
        self._speech_item_id = ""
        self._prompt_before = Tokens()
        self._playing_until_ms = 0
        self._timers = Timers()
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._update,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete_item,
            "conversation.item.retrieve": self._retrieve,
            "response.create": self._create_response,
            "response.cancel": self._cancel,
        }
        self._buffer.configure(vad_settings(self.config))

    @property
    def id(self) -> str:
        return str(self.config["id"])

    # Sending

    def emit(self, type_: str, **fields: Any) -> None:
        if self._is_stalled:
            return
        self._n_events += 1
        self.record.sent[type_] += 1
        self._send(orjson.dumps({"type": type_, "event_id": f"event_{self.id[5:13]}{self._n_events:06d}", **fields}))

    def open(self) -> None:
        self.emit("session.created", session=self.config)
        self._timers.after(LONGEST_S, lambda: self.expire(announce=True))
        for fault in self._first_faults:
            self.suffer(fault)

    def close(self, code: int | None, reason: str) -> None:
        """The socket is gone."""
        for response in self._live_responses():
            response.drop()
        self._timers.cancel()
        self.record.closed_at = time.time()
        self.record.close_code, self.record.close_reason = code, reason

    def expire(self, *, announce: bool) -> None:
        """announce: tell in an `error` event before the close, as the API does on some days."""
        if announce:
            self._error(Refused(EXPIRED, code="session_expired"))
        self._hang_up(1001, EXPIRED)

    def _error(self, refused: Refused, event_id: str | None = None) -> None:
        self.record.errors.append(refused.message)
        error = {"type": "invalid_request_error", "code": refused.code, "message": refused.message}
        self.emit("error", error=error | {"param": refused.param, "event_id": event_id})

    # Receiving

    def receive(self, data: bytes) -> None:
        """One message of the client."""
        event_id = None
        try:
            event = parsed(data)
            if event.get("type") == APPEND:
                self._append(appended_audio(event))
                return
            event_id = event["event_id"] if isinstance(event.get("event_id"), str) else None
            event = checked(event)
            self.record.received[event["type"]] += 1
            self._handlers[event["type"]](event)
        except Refused as refused:
            self._error(refused, event_id)

    def _append(self, data: bytes) -> None:
        self.record.received[APPEND] += 1
        self.record.audio_in_bytes += len(data)
        for heard in self._buffer.append(self._to_mulaw(data)):
            self._noticed(heard)

    def _update(self, event: dict[str, Any]) -> None:
        before = self.config["audio"]["input"]["format"]
        self.config = updated(
            self.config, event["session"], has_spoken=self._has_spoken, is_responding=self._response is not None
        )
        after = self.config["audio"]["input"]["format"]
        if before != after:
            self._to_mulaw = decoder_of(after["type"])
        self._buffer.configure(vad_settings(self.config))
        self.emit("session.updated", session=self.config)
        if not self._was_configured:
            self._was_configured = True
            # The API grows event types without notice; clients have to pass over what they do not know.
            self.emit("session.capabilities.updated", capabilities={"semantic_vad": True})

    # Audio in

    @property
    def _detection(self) -> dict[str, Any]:
        return self.config["audio"]["input"]["turn_detection"] or {
            "create_response": False,
            "interrupt_response": False,
        }

    def _noticed(self, heard: Heard) -> None:
        if isinstance(heard, SpeechStarted):
            self._speech_item_id = new_id("item")
            self.emit("input_audio_buffer.speech_started", audio_start_ms=heard.at_ms, item_id=self._speech_item_id)
            if self._response is not None and self._detection["interrupt_response"]:
                self._response.cancel("turn_detected")
            return
        if isinstance(heard, IdleTimeout):
            item = Item(new_id("item"), "message", role="user", audio=heard.audio, is_silence=True)
            span = {"audio_start_ms": heard.start_ms, "audio_end_ms": heard.at_ms}
            self.emit("input_audio_buffer.timeout_triggered", **span, item_id=item.id)
            self._add_heard(item)
            self._respond({})
            return
        self.emit("input_audio_buffer.speech_stopped", audio_end_ms=heard.at_ms, item_id=self._speech_item_id)
        self._add_heard(self._understood(self._speech_item_id, heard.audio))
        if self._detection["create_response"]:
            if self._response is None:
                self._respond({})
            else:
                self._error(self._already_active())

    def _understood(self, item_id: str, audio: bytes) -> Item:
        heard = self.world.index().recognise(audio)
        return Item(item_id, "message", role="user", audio=audio, heard=heard)

    def _add_heard(self, item: Item) -> None:
        item.content = [{"type": "input_audio", "transcript": None}]
        before = self.conversation.add(item)
        self.emit("input_audio_buffer.committed", previous_item_id=before, item_id=item.id)
        self._show(item, before)
        transcription = self.config["audio"]["input"]["transcription"]
        if transcription is not None and item.heard is not None:
            delay = _TRANSCRIPTION_S[self._n_transcripts % 2] / self.world.speed
            self._n_transcripts += 1
            self._timers.after(delay, lambda: self._transcribe(item, transcription["model"]))

    def _show(self, item: Item, before: str | None) -> None:
        self.emit("conversation.item.added", previous_item_id=before, item=item.as_json())
        self.emit("conversation.item.done", previous_item_id=before, item=item.as_json())

    def _transcribe(self, item: Item, model: str) -> None:
        is_lost = self._faults.take("transcription_failed", self._n_responses) is not None
        heard = None if is_lost else item.heard
        for type_, fields in transcription_events(item, heard, model, self.config["include"] or ()):
            self.emit(type_, **fields)

    def _commit(self, event: dict[str, Any]) -> None:
        if self._buffer.held_ms < _SHORTEST_COMMIT_MS:
            raise Refused(
                f"Error committing input audio buffer: buffer too small. Expected at least {_SHORTEST_COMMIT_MS}ms of "
                f"audio, but buffer only has {self._buffer.held_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item_id = self._speech_item_id if self._buffer.speaking else new_id("item")
        self._buffer.stop_waiting()
        self._add_heard(self._understood(item_id, self._buffer.take()))

    def _clear(self, event: dict[str, Any]) -> None:
        self._buffer.clear()
        self.emit("input_audio_buffer.cleared")

    # Items

    def _create_item(self, event: dict[str, Any]) -> None:
        item = new_item(self.conversation, event)
        for part in item.content:
            if part["type"] == "input_audio":
                self._hear_item(item, part)
        self._show(item, self.conversation.add(item, event.get("previous_item_id")))

    def _hear_item(self, item: Item, part: dict[str, Any]) -> None:
        data = decoded(part.pop("audio"), "item.content[0].audio")
        item.audio = decoder_of(self.config["audio"]["input"]["format"]["type"])(data)
        item.heard = self.world.index().recognise(item.audio)
        part.setdefault("transcript", None)

    def _truncate(self, event: dict[str, Any]) -> None:
        item = known_item(self.conversation, event["item_id"], "truncate")
        truncate(item, event["content_index"], event["audio_end_ms"])
        self._playing_until_ms = min(self._playing_until_ms, self._buffer.now_ms)
        at = {"item_id": item.id, "content_index": 0}
        self.emit("conversation.item.truncated", **at, audio_end_ms=event["audio_end_ms"])

    def _delete_item(self, event: dict[str, Any]) -> None:
        item = known_item(self.conversation, event["item_id"], "delete")
        self.conversation.delete(item.id)
        self.emit("conversation.item.deleted", item_id=item.id)

    def _retrieve(self, event: dict[str, Any]) -> None:
        item = known_item(self.conversation, event["item_id"], "retrieve")
        self.emit("conversation.item.retrieved", item=item.as_json(with_audio=True))

    # Responses

    def _live_responses(self) -> list[Response]:
        return [response for response in (self._response, *self._aside) if response is not None]

    def _already_active(self) -> Refused:
        active = self._response.id if self._response else ""
        return Refused(
            f"Conversation already has an active response in progress: {active}. Wait until the response is finished "
            "before creating a new one.",
            code="conversation_already_has_active_response",
        )

    def _create_response(self, event: dict[str, Any]) -> None:
        params = event.get("response") or {}
        if self._response is not None and params.get("conversation") != "none":
            raise self._already_active()
        voice = params.get("audio", {}).get("output", {}).get("voice")
        if self._has_spoken and voice not in (None, self.config["audio"]["output"]["voice"]):
            raise Refused(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param="response.audio.output.voice",
            )
        self._respond(params)

    def _cancel(self, event: dict[str, Any]) -> None:
        wanted = event.get("response_id")
        for response in self._live_responses():
            if response.id == wanted or (wanted is None and response is self._response):
                response.cancel("client_cancelled")
                return
        raise Refused("Cancellation failed: no active response found", code="response_cancel_not_active")

    def _respond(self, params: dict[str, Any]) -> None:
        self._n_responses += 1
        self._buffer.stop_waiting()
        is_aside = params.get("conversation") == "none"
        output = self.config["audio"]["output"] | params.get("audio", {}).get("output", {})
        modalities = params.get("output_modalities", self.config["output_modalities"])
        most = params.get("max_output_tokens", self.config["max_output_tokens"])
        prompt = prompt_of(self.config, params, self.conversation)
        slow = self._faults.take("slow", self._n_responses)
        failed = self._faults.take("response_failed", self._n_responses)
        response = Response(
            emit=self.emit,
            conversation=None if is_aside else self.conversation,
            prompt=prompt,
            cached=Tokens() if is_aside else cached_part(prompt, self._prompt_before),
            delivery=Delivery(
                synthesise=self.world.synthesise,
                audio_type=output["format"]["type"],
                as_text=modalities == ["text"],
                latency_s=(_THINKING_S + (slow.settings.get("delay_ms", 5000) / 1000 if slow else 0))
                / self.world.speed,
                chunk_s=CHUNK_MS / 1000 / _TIMES_REAL_TIME / self.world.speed,
                max_output_tokens=most if isinstance(most, int) else None,
            ),
            modalities=modalities,
            max_output_tokens=most,
            metadata=params.get("metadata"),
            voice=output["voice"],
            on_audio=self._sent_audio,
            on_done=self._response_done,
            failure=failure_of(failed) if failed is not None else None,
        )
        if is_aside:
            self._aside.add(response)
        else:
            self._response = response
        response.start(lambda: self._decide(params))
        self._is_stalled = self._is_stalled or self._faults.take("stall", self._n_responses) is not None
        self._tell_limits(prompt)

    def _tell_limits(self, prompt: Tokens) -> None:
        used = sum(self.record.usage[name] for name in ("input_tokens", "output_tokens")) + prompt.total
        self.emit("rate_limits.updated", rate_limits=rate_limits(self._n_responses, used))

    def _decide(self, params: dict[str, Any]) -> Reply:
        world = self.world
        return decide(scene_of(self.config, params, self.conversation, line_of=world.line_of, now=world.now()))

    def _sent_audio(self, n_bytes: int) -> None:
        self._has_spoken = True
        self.record.audio_out_bytes += n_bytes
        started = max(self._playing_until_ms, self._buffer.now_ms)
        self._playing_until_ms = started + n_bytes // BYTES_PER_MS
        fault = self._faults.take("disconnect", self._n_responses)
        if fault is not None:
            self._hang_up(fault.settings.get("code", 1011), fault.settings.get("reason", ""))

    def _response_done(self, response: Response) -> None:
        self.record.usage["input_tokens"] += response.prompt.total
        self.record.usage["output_tokens"] += response.output.total
        self.record.usage["cached_tokens"] += response.cached.total
        if response is not self._response:
            self._aside.discard(response)
            return
        self._response = None
        self._prompt_before = response.prompt + response.output
        if response.status == "completed" and not self._buffer.speaking:
            self._buffer.wait_for_speech_from(max(self._buffer.now_ms, self._playing_until_ms))

    # Trouble to order

    def suffer(self, fault: Fault, *, at_once: bool = False) -> None:
        """at_once: the session is under way; a running response counts as the first one."""
        self.record.faults.append(fault.kind)
        kind, settings = fault.kind, fault.settings
        if kind == "expire":
            announce = bool(settings.get("announce", False))
            self._timers.after(settings.get("after_s", 0) / self.world.speed, lambda: self.expire(announce=announce))
        elif kind == "disconnect" and settings.get("now"):
            self._hang_up(settings.get("code", 1011), settings.get("reason", ""))
        elif kind == "garbage":
            self._send(b'{"type": "response.output_audio.delta", "delta": ')
        elif kind == "unknown_event":
            self.emit("response.output_emotion.delta", emotion="curious", response_id=None)
        elif kind == "stall" and at_once:
            self._is_stalled = True
        else:
            before = self._n_responses - (self._response is not None) if at_once else 0
            self._faults.add(fault, n_responses_before=before)

    def report(self) -> dict[str, Any]:
        return report(self.record, self.conversation.items, self.world.line_of)
