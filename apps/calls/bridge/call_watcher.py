"""Looks on for the whole call: who picked up and what follows from it, and which language is spoken."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from apps.calls.bridge.answering import Action, AnswerEar, Decision, RecordedMessage, Verdict
from apps.calls.bridge.commands import Command
from apps.calls.bridge.languages import Change, LanguageEar
from apps.calls.bridge.metrics import ANSWER_VERDICTS, LANGUAGE_CHANGES
from apps.calls.bridge.plan import CallPlan, voicemail_prompt
from apps.calls.bridge.sink import Cause, SessionEnd, SpokenTurn
from apps.calls.bridge.watching import Acts
from apps.calls.media.beep import BeepEar
from apps.calls.media.frames import Audio, ToolCall

log = structlog.get_logger(__name__)

# How often a message is begun anew because the machine spoke into it.
_MAX_TRIES = 2
_MESSAGE_LEFT = SessionEnd(Cause.AI_ENDED, "voicemail")
_SCREENER_NOTE = (
    "A call screener is listening, not the person. Say in one sentence who calls and why, then wait for the person."
)
_MENU_NOTE = "A recorded menu answered. If you can press keys, choose what leads to a person; otherwise end the call."
_RECORDED_NOTE = "An answering machine is recording; a recorded message is being played to it. Say nothing."

# A recorded message's sound, None where it is not to be had.
SoundOf = Callable[[RecordedMessage], Awaitable[Sequence[Audio] | None]]


async def _no_sound(message: RecordedMessage) -> None:
    return None


class CallWatcher:
    """The Watcher of an AI's call. A stream that takes a call up again does not ask once more who picked up.

    sound_of: asked when the message is to be played; it answers within seconds.
    """

    def __init__(self, plan: CallPlan, sound_of: SoundOf = _no_sound) -> None:
        self._plan = plan
        self._sound_of = sound_of
        self._answer = AnswerEar(plan.answering)
        self._is_answered = bool(plan.history)
        self._language = LanguageEar(plan.language, plan.changes_to)
        self._acts: Acts | None = None
        self._beep: BeepEar | None = None
        self._waits_since: int | None = None
        self._machine_quiet_since: int | None = None
        self._is_recording_machine = False
        self._plays = False
        self._is_machine_quiet = asyncio.Event()
        self._over_by: int | None = None
        self._n_tries = 0

    @property
    def _line(self) -> Acts:
        assert self._acts is not None  # noqa: S101 - the session says began() first
        return self._acts

    # ── What the session tells ──────────────────────────────────────────────────────────────────────────────
    def began(self, acts: Acts) -> None:
        self._acts = acts

    def may_greet(self) -> bool:
        return True

    def caller_began(self, at_ms: int) -> None:
        self._machine_quiet_since = None
        self._is_machine_quiet.clear()
        if not self._is_answered:
            self._answer.caller_began(at_ms)

    def caller_stopped(self, at_ms: int) -> None:
        self._machine_quiet_since = at_ms
        self._is_machine_quiet.set()
        if self._is_recording_machine and not self._plays and self._n_tries < _MAX_TRIES:
            self._n_tries += 1
            self._line.start(self._speak_message())
        if not self._is_answered:
            self._answer.caller_stopped(at_ms)

    def caller_said(self, turn: SpokenTurn, *, is_final: bool) -> None:
        if not self._is_answered:
            self._follow(self._answer.caller_said(turn.text, self._line.now_ms(), is_final=is_final))
        if is_final and self._is_with_person:
            self._change(self._language.hear(turn.text, provider_says=turn.language))

    def ai_said(self, turn: SpokenTurn) -> None:
        if self._is_recording_machine and not self._plays:  # the message, then; what is kept from the line comes not
            self._line.end_when_heard(_MESSAGE_LEFT)

    def tool_called(self, call: ToolCall) -> bool:
        if call.name == "leave_voicemail":
            self._line.start(self._line.answer_tool(call, "Done: it is left after the beep. Say nothing more."))
            self._follow(self._answer.tool_says(self._line.now_ms()))
            self._await_beep()
            return True
        if call.name == "end_call" and (self._waits_since is not None or self._plays):
            self._line.start(self._line.answer_tool(call, "Not yet: the message is left first. Say nothing."))
            return True
        return False

    def commanded(self, command: Command) -> bool:
        if command.kind == "change_language":
            self._language.allowed = ()  # somebody has decided; what is heard decides no more
            return False
        if command.kind != "machine_verdict":
            return False
        answered_by = command.text("answered_by")
        if not self._is_answered:
            now_ms = self._line.now_ms()
            self._follow(self._answer.carrier_says(command.text("verdict"), answered_by, now_ms))
        if self._waits_since is not None and ("end" in answered_by or "beep" in answered_by):
            self._leave_message("carrier")
        return True

    def goes_on_alone(self) -> bool:
        return self._plays

    def ticked(self) -> None:
        now_ms = self._line.now_ms()
        if not self._is_answered:
            self._follow(self._answer.ticked(now_ms))
            self._is_answered = self._answer.is_settled
        if self._over_by is not None and now_ms >= self._over_by:
            self._line.end(_MESSAGE_LEFT)
        since = self._waits_since
        if since is None:
            return
        quiet_since = self._machine_quiet_since
        if quiet_since is not None and now_ms - quiet_since >= self._plan.answering.pause_ms:
            self._leave_message("pause")
        elif now_ms - since >= self._plan.answering.message_limit_ms:
            self._leave_message("time_limit")

    # ── Who picked up ───────────────────────────────────────────────────────────────────────────────────────
    @property
    def _is_with_person(self) -> bool:
        decision = self._answer.decision
        return decision is None or decision.verdict in {Verdict.HUMAN, Verdict.UNKNOWN, Verdict.SILENCE}

    def _follow(self, decision: Decision | None) -> None:
        if decision is None:
            return
        ANSWER_VERDICTS.labels(decision.verdict, decision.source).inc()
        log.info("answer_verdict", verdict=str(decision.verdict), source=decision.source, action=str(decision.action))
        self._tell("answer_verdict", decision.at_ms, decision.evidence, decision)
        if decision.action is Action.HANG_UP:
            self._line.start(self._line.hush())
            self._line.end(SessionEnd(Cause.AI_ENDED, str(decision.verdict)))
        elif decision.action is Action.LEAVE_MESSAGE:
            self._await_beep()
        else:
            self._stop_waiting()
            self._stop_playing()
            if decision.verdict is Verdict.SCREENER:
                self._line.start(self._line.note(_SCREENER_NOTE))
            elif decision.verdict is Verdict.IVR:
                self._line.start(self._line.note(_MENU_NOTE))

    def _tell(self, kind: str, at_ms: int, evidence: Mapping[str, object], decision: Decision) -> None:
        facts: dict[str, object] = {
            "verdict": str(decision.verdict),
            "source": decision.source,
            "action": str(decision.action),
            "at_ms": at_ms,
        }
        self._line.event(kind, facts | {"evidence": dict(evidence)})

    # ── The message after the beep ──────────────────────────────────────────────────────────────────────────
    def _await_beep(self) -> None:
        if self._waits_since is not None or self._is_recording_machine:
            return
        self._waits_since = self._line.now_ms()
        self._beep = BeepEar()
        self._line.mute(True)
        self._line.listen_in(self._listen)
        self._line.start(self._line.hush())

    def _stop_waiting(self) -> None:
        if self._waits_since is None:
            return
        self._waits_since = None
        self._line.listen_in(None)
        self._line.mute(False)

    def _listen(self, audio: Audio) -> None:
        if self._beep is not None and self._beep.hear(audio):
            self._leave_message("beep")

    def _leave_message(self, why: str) -> None:
        if self._waits_since is None:
            return
        self._stop_waiting()
        self._is_recording_machine = True
        recorded = self._plan.answering.recorded.get(self._line.language)
        if recorded is None:
            self._line.event("message_left", {"after": why})
            self._line.start(self._speak_message())
        else:
            self._plays = True
            self._line.mute(True)
            self._line.start(self._play_message(recorded, why))

    async def _play_message(self, message: RecordedMessage, why: str) -> None:
        """Until it was heard to its end; from its beginning again when the machine has spoken into it."""
        try:
            pieces = await self._sound_of(message)
            if pieces is None and self._plays:
                log.warning("recorded_message_missing", language=self._line.language, name=message.name)
                self._plays = False
                self._line.mute(False)
                self._line.event("message_left", {"after": why})
                await self._speak_message()
            if pieces is None or not self._plays:
                return
            await self._line.note(_RECORDED_NOTE)
            while True:
                self._over_by = self._line.now_ms() + message.duration_ms + self._plan.answering.message_limit_ms
                if await self._line.play(pieces, message.text, is_wording=message.is_wording):
                    self._line.event("message_left", {"after": why, "how": "recorded", "ms": message.duration_ms})
                    break
                if not self.goes_on_alone():  # somebody else has stopped it
                    return
                self._n_tries += 1
                log.info("recorded_message_interrupted", n_tries=self._n_tries)
                if self._n_tries > _MAX_TRIES:
                    break
                await self._is_machine_quiet.wait()
        except asyncio.CancelledError:
            log.info("recorded_message_cut_short", n_tries=self._n_tries)
            raise
        self._line.end(_MESSAGE_LEFT)

    def _stop_playing(self) -> None:
        """It was no machine after all."""
        if self._plays:
            self._plays = self._is_recording_machine = False
            self._over_by = None
            self._line.mute(False)
            self._line.start(self._line.hush())

    async def _speak_message(self) -> None:
        language = self._line.language
        message = self._plan.answering.message.get(language, "")
        self._over_by = self._line.now_ms() + self._plan.answering.message_limit_ms
        await self._line.say(voicemail_prompt(message, language))

    # ── The language ────────────────────────────────────────────────────────────────────────────────────────
    def _change(self, change: Change | None) -> None:
        if change is None:
            return
        LANGUAGE_CHANGES.labels(change.from_, change.to).inc()
        log.info("language_changed", before=change.from_, to=change.to)
        heard = [{"language": vote.language, "words": vote.n_words, "source": vote.source} for vote in change.heard]
        self._line.event(
            "language_changed",
            {"from": change.from_, "to": change.to, "scores": dict(change.scores), "heard": heard},
        )
        self._line.start(self._line.change_language(change.to))
