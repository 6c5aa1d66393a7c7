"""Who picked up, and what to do about it: a decision that cannot hang. Pure; times are ms on the call's clock.

What is heard counts in this order: words that only a machine says, then the carrier's detection, then the rhythm of
the sound. Until the time limit a verdict may be revised; at the limit there is one, whatever has been heard.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """Who picked up."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    SCREENER = "screener"
    IVR = "ivr"
    SILENCE = "silence"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """talk: converse. leave_message: after the beep, then hang up. answer: say in one sentence who calls and why."""

    TALK = "talk"
    LEAVE_MESSAGE = "leave_message"
    ANSWER = "answer"
    HANG_UP = "hang_up"


USUAL: Final[Mapping[Verdict, Action]] = {
    Verdict.HUMAN: Action.TALK,
    Verdict.VOICEMAIL: Action.LEAVE_MESSAGE,
    Verdict.SCREENER: Action.ANSWER,
    Verdict.IVR: Action.TALK,
    Verdict.SILENCE: Action.TALK,
    Verdict.UNKNOWN: Action.TALK,
}


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message after the beep that is played instead of spoken; by sha256 its sound is found (see ``name``).

    text: for the transcript. is_wording: it is what the recording says, and not just a word for there being one.
    """

    sha256: str
    name: str
    duration_ms: int
    text: str
    is_wording: bool


@dataclass(frozen=True, slots=True)
class AnsweringPlan:
    """actions: verdict → what to do. message: what is left after the beep, "" if the AI words it.

    recorded: language → what is played in its place. limit_ms: a verdict stands by then. silence_ms: nobody has
    made a sound for so long. pause_ms: a machine that has been quiet for so long is taken to record, with or without
    a beep. message_limit_ms: a message is begun by then, and a spoken one over after as long again.
    """

    actions: Mapping[Verdict, Action] = field(default_factory=lambda: USUAL)
    message: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, RecordedMessage] = field(default_factory=dict)
    limit_ms: int = 20_000
    silence_ms: int = 8_000
    pause_ms: int = 2_500
    message_limit_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Decision:
    """source: transcript, carrier, audio, tool or time_limit. evidence: what it rests on, plain JSON."""

    verdict: Verdict
    action: Action
    source: str
    at_ms: int
    evidence: Mapping[str, object]


# What machines say, in the three languages, without accents too: speech recognisers drop them.
_VOICEMAIL = re.compile(
    r"leave (?:me |us )?(?:a|your) message|after the (?:tone|beep)|record your message"
    r"|reached (?:the )?voice ?mail|my voicemail|can(?:not| not|'t) (?:take your call|come to the phone)"
    r"|(?:deje|grabe) (?:su|un|tu) mensaje|despu[eé]s (?:de la se[nñ]al|de o[ií]r la se[nñ]al|del tono)"
    r"|buz[oó]n de voz|contestador autom|tras la se[nñ]al"
    r"|zanechte|po (?:zazn[eě]n[ií] )?(?:t[oó]nu|p[ií]pnut[ií]|sign[aá]lu)|hlasov[aáeé]\w* schr[aá]nk|z[aá]znamn[ií]k",
    re.IGNORECASE,
)
_SCREENER = re.compile(
    r"screening (?:service|this call|calls)|state your name|reason for (?:your call|calling)"
    r"|before i try to connect you|record your name and reason"
    r"|diga su nombre|motivo de (?:su|la) llamada|filtr\w+ (?:de |las |sus )?llamadas"
    r"|antes de pasar(?:le)? la llamada|diga qui[eé]n es y por qu[eé] llama"
    r"|(?:uve[dď]te|[rř]ekn[eě]te) (?:pros[ií]m )?(?:sv[eé] )?jm[eé]no|prov[eě][rř]\w+ hovor"
    r"|ne[zž] v[aá]s (?:p[rř]epoj[ií]m|spoj[ií]m)|d[uů]vod (?:sv[eé]ho |va[sš]eho )?(?:vol[aá]n[ií]|hovoru)",
    re.IGNORECASE,
)
_IVR = re.compile(
    r"press (?:one|two|three|zero|[0-9]|the)|for \w+(?: \w+)?,? press|main menu|please select"
    r"|pulse (?:el )?(?:uno|dos|tres|cero|[0-9])|marque (?:el )?(?:uno|dos|tres|[0-9])|men[uú] principal"
    r"|stiskn[eě]te|zvolte|zm[aá][cč]kn[eě]te|hlavn[ií] menu",
    re.IGNORECASE,
)
_WORDS: Final = ((Verdict.SCREENER, _SCREENER), (Verdict.VOICEMAIL, _VOICEMAIL), (Verdict.IVR, _IVR))
_CARRIER: Final = {
    "human": Verdict.HUMAN,
    "machine": Verdict.VOICEMAIL,
    "fax": Verdict.VOICEMAIL,
    "silence": Verdict.SILENCE,
    "screening": Verdict.SCREENER,
}
# A person who picks up says a word or two and waits; a machine reads out a text.
_PERSONS_GREETING_MS: Final = 4_000
_PERSONS_WORDS: Final = 14


class AnswerEar:
    """Hears what the session hears; each method returns a decision when there is a new one."""

    def __init__(self, plan: AnsweringPlan) -> None:
        self._plan = plan
        self.decision: Decision | None = None
        self._spoke_at: int | None = None
        self._longest_ms = 0
        self._n_heard = 0
        self._carrier = ""
        self.is_settled = False
        """The verdict stands: it is revised no more."""

    def caller_began(self, at_ms: int) -> None:
        self._spoke_at = at_ms

    def caller_stopped(self, at_ms: int) -> None:
        if self._spoke_at is not None:
            self._longest_ms = max(self._longest_ms, at_ms - self._spoke_at)

    def caller_said(self, text: str, at_ms: int, *, is_final: bool) -> Decision | None:
        for verdict, pattern in _WORDS:
            if (found := pattern.search(text)) is not None:
                return self._decide(verdict, "transcript", at_ms, {"words": found[0][:80]})
        if not is_final:
            return None
        self._n_heard += 1
        is_short = self._longest_ms <= _PERSONS_GREETING_MS and len(text.split()) <= _PERSONS_WORDS
        if self.decision is None and (is_short or self._n_heard > 1) and self._carrier != Verdict.VOICEMAIL:
            facts = {"n_utterances": self._n_heard, "longest_ms": self._longest_ms}
            return self._decide(Verdict.HUMAN, "transcript", at_ms, facts)
        if self.decision is not None and self.decision.verdict in {Verdict.SILENCE, Verdict.UNKNOWN}:
            return self._decide(Verdict.HUMAN, "transcript", at_ms, {"n_utterances": self._n_heard})
        if self.decision is not None and self.decision.verdict is Verdict.SCREENER and is_short:
            return self._decide(Verdict.HUMAN, "transcript", at_ms, {"after": "screener"})
        return None

    def carrier_says(self, verdict: str, answered_by: str, at_ms: int) -> Decision | None:
        """verdict: the word of carriers.base.Verdict, or screening or silence. answered_by: the carrier's own."""
        found = _CARRIER.get(verdict)
        if found is None:
            return None
        self._carrier = found
        evidence = {"answered_by": answered_by[:40]}
        if verdict == "fax":
            return self._decide(found, "carrier", at_ms, evidence, action=Action.HANG_UP)
        known = self.decision
        if known is None:
            return self._decide(found, "carrier", at_ms, evidence)
        # Words beat the carrier; against mere rhythm or a guess the carrier is right more often.
        is_firm = known.source in {"transcript", "tool"} and known.verdict not in {Verdict.UNKNOWN, Verdict.SILENCE}
        has_talked = known.verdict is Verdict.HUMAN and self._n_heard > 1
        if has_talked or (is_firm and known.verdict is not Verdict.HUMAN):
            return None
        return self._decide(found, "carrier", at_ms, evidence)

    def tool_says(self, at_ms: int) -> Decision | None:
        """The AI itself has recognised an answering machine."""
        return self._decide(Verdict.VOICEMAIL, "tool", at_ms, {})

    def ticked(self, at_ms: int) -> Decision | None:
        """Time passes; a verdict stands at the limit at the latest."""
        if self.decision is None and self._spoke_at is None and at_ms >= self._plan.silence_ms:
            return self._decide(Verdict.SILENCE, "audio", at_ms, {"quiet_ms": at_ms})
        if at_ms < self._plan.limit_ms or self.is_settled:
            return None
        decision = None
        if self.decision is None:
            verdict = Verdict.HUMAN if self._n_heard else Verdict.UNKNOWN
            decision = self._decide(verdict, "time_limit", at_ms, {"n_utterances": self._n_heard})
        # Silence may still be broken, a screener may still put us through; all else stands.
        self.is_settled = self.decision is not None and self.decision.verdict not in {Verdict.SILENCE, Verdict.SCREENER}
        return decision

    def _decide(
        self,
        verdict: Verdict,
        source: str,
        at_ms: int,
        evidence: Mapping[str, object],
        *,
        action: Action | None = None,
    ) -> Decision | None:
        if self.is_settled or (self.decision is not None and self.decision.verdict is verdict):
            return None
        action = action or self._plan.actions.get(verdict, USUAL[verdict])
        self.decision = Decision(verdict, action, source, at_ms, evidence)
        return self.decision
