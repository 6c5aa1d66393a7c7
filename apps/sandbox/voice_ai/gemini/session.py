"""One client's Live session: what each client message does, and what the received audio sets going.

Synchronous but for the answers, which speak on in tasks of their own; everything sent goes through `send` in order.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from ..brain import decide
from ..conversation import Conversation, Item, new_id
from ..faults import Fault, FaultsInForce
from ..g711 import Pcm16kIn
from ..memory import Record, report
from ..scene import Reply
from ..timers import Timers
from ..usage import Tokens
from ..vad import AudioBuffer, Heard, IdleTimeout, SpeechStarted
from ..world import World
from .answer import Answer
from .handles import Handles
from .messages import Unusable, functions_of, parsed, require_modern, sound_of, text_of
from .setup import prompt_of, scene_of, vad_settings
from .transcription import transcription_messages
from .usage import usage_metadata

LONGEST_S: Final = 600
_NOTICE_S: Final = 60
EXPIRED: Final = "Deadline expired before operation could complete."
_THINKING_S: Final = 0.3
_TRANSCRIPTION_S: Final = (0.05, 0.7)  # before the answer, after it has begun: both happen
_STAGE: Final = re.compile(r"\[(.*)\]", re.DOTALL)
"""Words in brackets are the client's directions, not the caller's."""
_SAID_NOTHING: Final = re.compile(r"said nothing|no ha dicho nada|nic neříká", re.IGNORECASE)


class Session:
    """send: one JSON message. hang_up: close the socket with (code, reason); code None drops it without a word."""

    def __init__(
        self,
        world: World,
        handles: Handles,
        send: Callable[[bytes], None],
        hang_up: Callable[[int | None, str], None],
        *,
        is_welcome: bool = True,
        faults: list[Fault] | None = None,
    ) -> None:
        """is_welcome: the key was right; the wire says so only after the setup."""
        self.world = world
        self.id = new_id("live")
        self.setup: dict[str, Any] = {}
        self.record = Record(self.id, "")
        self.conversation = Conversation()
        self._handles = handles
        self._send = send
        self._hang_up = hang_up
        self._is_welcome = is_welcome
        self._faults = FaultsInForce()
        self._first_faults = faults or []
        self._buffer = AudioBuffer()
        self._to_mulaw = Pcm16kIn()
        self._answer: Answer | None = None
        self._n_answers = 0
        self._n_transcripts = 0
        self._is_stalled = False
        self._tells_activity = False
        self._owes: str | None = None
        """An answer that a sleepy session gives only when something comes in on the live side."""
        self._is_telling_history = False
        self._waits_for: dict[str, Item] = {}
        """Tool calls without an answer yet; while there are blocking ones, the turn stays open."""
        self._timers = Timers()
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "client_content": self._client_content,
            "realtime_input": self._realtime_input,
            "tool_response": self._tool_response,
            "context_update": self._context_update,
        }

    # Sending

    def emit(self, message: dict[str, Any]) -> None:
        if not self._is_stalled:
            self.record.sent.update(list(message))
            self._send(orjson.dumps(message))

    def close(self, code: int | None, reason: str) -> None:
        """The socket is gone."""
        if self._answer is not None:
            self._answer.stop()
        self._timers.cancel()
        self.record.closed_at = time.time()
        self.record.close_code, self.record.close_reason = code, reason

    def _go_away(self, in_s: float) -> None:
        self.emit({"goAway": {"timeLeft": f"{in_s:g}s"}})

    def _expire(self) -> None:
        self._hang_up(1011, EXPIRED)

    # Receiving

    def receive(self, data: bytes | str) -> None:
        """One message of the client."""
        try:
            kind, content = parsed(data)
            self.record.received[kind] += 1
            if not self.setup:
                if kind != "setup":
                    raise Unusable(1007, "The first message must be a setup message.")
                self._begin(content)
            elif kind == "setup":
                raise Unusable(1007, "Request contains an invalid argument: setup was sent already.")
            else:
                self._handlers[kind](content)
        except Unusable as unusable:
            self.record.errors.append(unusable.reason)
            self._hang_up(unusable.code, unusable.reason)

    def _begin(self, setup: dict[str, Any]) -> None:
        ordered = next((fault for fault in self._first_faults if fault.kind == "refuse_setup"), None)
        if ordered is not None:
            raise Unusable(ordered.settings.get("code", 1011), ordered.settings.get("reason", "Internal error."))
        if not self._is_welcome:
            raise Unusable(1007, "API key not valid. Please pass a valid API key.")
        require_modern(setup)
        self.setup = setup
        self.record.model = setup["model"].removeprefix("models/")
        handle = setup.get("session_resumption", {}).get("handle")
        if handle:
            is_refused = any(fault.kind == "refuse_resume" for fault in self._first_faults)
            kept = None if is_refused else self._handles.take(handle, self.record.model)
            if kept is None:
                raise Unusable(1008, "Session handle is not valid or has expired.")
            for item in kept:
                self.conversation.add(item)
            self.record.resumed_from = handle
        self._is_telling_history = setup.get("history_config", {}).get("initial_history_in_client_content", False)
        self._buffer.configure(vad_settings(setup))
        self.emit({"setupComplete": {"sessionId": self.id}})
        self._timers.after(LONGEST_S - _NOTICE_S, lambda: self._go_away(_NOTICE_S))
        self._timers.after(LONGEST_S, self._expire)
        for fault in self._first_faults:
            self.suffer(fault)

    # Audio in

    def _realtime_input(self, content: dict[str, Any]) -> None:
        if (audio := content.get("audio")) is not None:
            pcm, _ = sound_of(audio)
            self.record.audio_in_bytes += len(pcm)
            for heard in self._buffer.append(self._to_mulaw(pcm)):
                self._noticed(heard)
        if (text := content.get("text")) is not None:
            if self._owes is not None:
                owed, self._owes = self._owes, None
                self._respond(told=owed)
            elif text.strip():
                self._take_text(text, answer=True)
        if content.get("audio_stream_end") and self._buffer.speaking:
            self._ended(self._buffer.take())
        if "activity_start" in content:
            self._begun()
        if "activity_end" in content:
            self._ended(self._buffer.take())

    def _noticed(self, heard: Heard) -> None:
        if isinstance(heard, IdleTimeout):
            return
        if isinstance(heard, SpeechStarted):
            if self._tells_activity:
                self._activity("ACTIVITY_START", heard.at_ms)
            self._begun()
        else:
            if self._tells_activity:
                self._activity("ACTIVITY_END", heard.at_ms)
            self._ended(heard.audio)

    def _activity(self, kind: str, at_ms: int) -> None:
        self.emit({"voiceActivity": {"type": kind, "audioOffset": f"{at_ms / 1000:g}s"}})

    def _begun(self) -> None:
        handling = self.setup.get("realtime_input_config", {}).get("activity_handling")
        if handling != "NO_INTERRUPTION":
            self._interrupt()

    def _interrupt(self) -> None:
        answer = self._answer
        if answer is not None and (answer.has_begun or self._waits_for):
            self.emit({"serverContent": {"interrupted": True}})
            answer.stop()
            if self._waits_for:
                self.emit({"toolCallCancellation": {"ids": list(self._waits_for)}})
                self._waits_for.clear()
            self._complete()
        elif answer is not None:
            answer.stop()  # nothing of it has been sent
            self._answer = None

    def _ended(self, audio: bytes) -> None:
        heard = self.world.index().recognise(audio)
        item = Item(new_id("item"), "message", role="user", audio=audio, heard=heard)
        item.content = [{"type": "input_audio", "transcript": None}]
        self.conversation.add(item)
        delay = _TRANSCRIPTION_S[self._n_transcripts % 2] / self.world.speed
        self._n_transcripts += 1
        self._timers.after(delay, lambda: self._transcribe(item))
        self._respond()

    def _transcribe(self, item: Item) -> None:
        is_lost = self._faults.take("transcription_failed", self._n_answers) is not None
        heard = item.heard
        if "input_audio_transcription" not in self.setup or is_lost or heard is None or not heard.text:
            return
        item.content[0]["transcript"] = heard.text
        # It does not always say that it is done.
        for message in transcription_messages(heard, says_when_done=self._n_transcripts % 3 != 0):
            self.emit(message)

    # Text in

    def _client_content(self, content: dict[str, Any]) -> None:
        turns, is_complete = content.get("turns", []), content.get("turn_complete", False)
        if self._is_telling_history:
            for turn in turns:
                self._add_text(text_of(turn), is_model=turn.get("role") == "model")
            self._is_telling_history = not is_complete
            return
        for n, turn in enumerate(turns):
            is_model = turn.get("role") == "model"
            if n == len(turns) - 1 and is_complete and not is_model:
                self._interrupt()
                self._take_text(text_of(turn), answer=True)
            else:
                self._add_text(text_of(turn), is_model=is_model)
        if is_complete and (not turns or turns[-1].get("role") == "model"):
            self._interrupt()
            self._answer_text("")

    def _take_text(self, text: str, *, answer: bool) -> None:
        """The last words before the model is to answer: directions for this answer, or the caller's own."""
        direction = _STAGE.fullmatch(text.strip())
        if direction is None and self.world.line_of(text) is not None:
            self._add_text(text, is_model=False)
            self._answer_text("")
        elif _SAID_NOTHING.search(text):
            self.conversation.add(Item(new_id("item"), "message", role="user", is_silence=True))
            self._answer_text("")
        else:
            self._answer_text(direction[1] if direction else text)

    def _answer_text(self, told: str) -> None:
        if self._faults.take("sleepy", self._n_answers + 1) is not None:
            self._owes = told
        else:
            self._respond(told=told)

    def _add_text(self, text: str, *, is_model: bool) -> None:
        direction = None if is_model else _STAGE.fullmatch(text.strip())
        if direction is not None:
            role, kind, text = "system", "input_text", direction[1]
        else:
            role, kind = ("assistant", "output_text") if is_model else ("user", "input_text")
        content = [{"type": kind, "text": text}]
        self.conversation.add(Item(new_id("item"), "message", role=role, content=content))

    def _context_update(self, content: dict[str, Any]) -> None:
        if "system_instruction" in content:
            self.setup["system_instruction"] = content["system_instruction"]
        if "tools" in content:
            self.setup["tools"] = content["tools"].get("tools", [])

    # Tools

    def _called(self, items: list[Item]) -> None:
        blocks = {one["name"] for one in functions_of(self.setup.get("tools", [])) if one["blocks"]}
        self._waits_for = {item.call_id: item for item in items if item.name in blocks}
        if not self._waits_for:
            self._generated()
            self._complete()

    def _tool_response(self, content: dict[str, Any]) -> None:
        is_silent = False
        for answer in content["function_responses"]:
            call_id = answer["id"]
            if not self.conversation.has_call(call_id):
                raise Unusable(1007, f"Request contains an invalid argument: no function call {call_id}.")
            output = answer["response"].get("result")
            text = output if isinstance(output, str) else orjson.dumps(answer["response"]).decode()
            self.conversation.add(Item(new_id("item"), "function_call_output", call_id=call_id, output=text))
            self._waits_for.pop(call_id, None)
            is_silent = answer.get("scheduling") == "SILENT"
        if not self._waits_for and not is_silent:
            if self._answer is not None and not self._answer.is_waiting:
                return  # its answer is already under way
            self._respond()

    # Answers

    def _respond(self, *, told: str = "") -> None:
        self._n_answers += 1
        slow = self._faults.take("slow", self._n_answers)
        failed = self._faults.take("response_failed", self._n_answers)
        if failed is not None:
            self._timers.after(_THINKING_S / self.world.speed, lambda: self._fail(failed))
            return
        self._is_stalled = self._is_stalled or self._faults.take("stall", self._n_answers) is not None
        before = self._answer  # the same turn goes on once its tools have answered
        self._answer = Answer(
            send=self.emit,
            conversation=self.conversation,
            synthesise=self.world.synthesise,
            transcribes="output_audio_transcription" in self.setup,
            latency_s=(_THINKING_S + (slow.settings.get("delay_ms", 5000) / 1000 if slow else 0)) / self.world.speed,
            speed=self.world.speed,
            prompt=prompt_of(self.setup, self.conversation) + (before.prompt if before is not None else Tokens()),
            output=before.output if before is not None else Tokens(),
            decide=lambda: self._decide(told),
            on_sound=self._sounded,
            on_calls=self._called,
            on_generated=self._generated,
            on_heard=self._complete,
        )
        self._answer.start()

    def _fail(self, fault: Fault) -> None:
        reason = str(fault.settings.get("code", "RESPONSE_REJECTED")).upper()
        self.emit({"serverContent": {"turnComplete": True, "turnCompleteReason": reason, "interactionStatus": "IDLE"}})

    def _decide(self, told: str) -> Reply:
        world = self.world
        return decide(scene_of(self.setup, self.conversation, line_of=world.line_of, now=world.now(), told=told))

    def _sounded(self) -> None:
        fault = self._faults.take("disconnect", self._n_answers)
        if fault is not None:
            self._hang_up(fault.settings.get("code", 1011), fault.settings.get("reason", "Internal error encountered."))

    def _generated(self) -> None:
        self.emit({"serverContent": {"generationComplete": True}})

    def _complete(self) -> None:
        """The turn is over: heard to its end, or interrupted."""
        answer, self._answer = self._answer, None
        message: dict[str, Any] = {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}}
        if answer is not None:
            self.record.audio_out_bytes += answer.audio_bytes
            self.record.usage["input_tokens"] += answer.prompt.total
            self.record.usage["output_tokens"] += answer.output.total
            message["usageMetadata"] = usage_metadata(answer.prompt, answer.output)
        self.emit(message)
        if "session_resumption" in self.setup:
            handle = self._handles.keep(self.record.model, self.conversation.items)
            self.emit({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    # Trouble to order

    def suffer(self, fault: Fault, *, at_once: bool = False) -> None:
        """at_once: the session is under way; a running answer counts as the first one."""
        self.record.faults.append(fault.kind)
        kind, settings = fault.kind, fault.settings
        if kind == "expire":
            after_s = settings.get("after_s", 0)
            if settings.get("announce"):
                self._go_away(after_s)
            self._timers.after(after_s / self.world.speed, self._expire)
        elif kind == "disconnect" and settings.get("now"):
            self._hang_up(settings.get("code", 1011), settings.get("reason", "Internal error encountered."))
        elif kind == "garbage":
            self._send(b'{"serverContent": {"modelTurn": ')
        elif kind == "unknown_event":
            self.emit({"hologramUpdate": {"mood": "curious"}})
        elif kind == "stall" and at_once:
            self._is_stalled = True
        elif kind == "voice_activity":
            self._tells_activity = True
        else:
            before = self._n_answers - (self._answer is not None) if at_once else 0
            self._faults.add(fault, n_responses_before=before)

    def report(self) -> dict[str, Any]:
        return report(self.record, self.conversation.items, self.world.line_of)
