"""The dialogue brain: from a conversation so far to what the virtual agent says and does next.

Pure, and without memory of its own: what was said and done is read from the conversation, so a session that was
re-seeded after a reconnect goes on where the old one stopped, and a sentence that was cut off is said again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from .brief import Brief, language_of, quoted, read_brief
from .hearing import UNCLEAR
from .phrases import LANGUAGES, PHRASES
from .plans import ASIDES, MACHINES, MATTER_OF_INTENT, OUTCOMES, PLANS, WITH_TOOL, WITHOUT
from .scene import Call, Reply, Say, Scene, Turn
from .toolbox import Matter, Tool, is_refusal, is_same_code, kind_of, toolbox

_FAX_TONE_MS: Final = 1500
_FAREWELL: Final = re.compile(
    r"good-?bye|wrap[ -]?up|end the (?:call|conversation)|hang up|desp[ií]d|rozluč", re.IGNORECASE
)
_RESUME: Final = re.compile(r"apologi[sz]e|where it stopped|disculp|omluv", re.IGNORECASE)
_NOBODY: Final = re.compile(r"nobody|no one|silen|nadie|nikdo", re.IGNORECASE)
_GREET: Final = re.compile(
    r"\bgreet|welcome|introduce yourself|open(?:ing)? (?:line|sentence)|salud|pozdrav", re.IGNORECASE
)
_KEY: Final = re.compile(r"\b(?:press\w*|dtmf|key|digit)\b\D{0,20}([\d*#])", re.IGNORECASE)


def decide(scene: Scene) -> Reply:
    return _Mind(scene).reply()


class _Mind:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.history = scene.history
        self.brief: Brief = read_brief(scene.instructions)
        self.tools: dict[str, Tool] = {} if scene.tool_choice == "none" else toolbox(scene.tools)
        self.language = self._language()
        self.caller_turns = [turn for turn in self.history if turn.who == "caller"]
        self.results = {turn.call_id: turn for turn in self.history if turn.who == "result"}

    def reply(self) -> Reply:
        if self.scene.is_out_of_band:
            return (Say(self._summary(), self.language),)
        if isinstance(self.scene.tool_choice, dict):
            return self._forced(str(self.scene.tool_choice.get("name", "")))
        reply = self._ordered() or self._natural()
        if not reply and self.scene.tool_choice == "required" and self.tools:
            tool = next(iter(self.tools.values()))
            return (Call(tool.name, tool.arguments(self._facts("ended"))),)
        return self._one_call_at_a_time(reply)

    def _one_call_at_a_time(self, reply: Reply) -> Reply:
        if self.scene.may_call_in_parallel:
            return reply
        calls = [part for part in reply if isinstance(part, Call)]
        return tuple(part for part in reply if isinstance(part, Say) or part is calls[0])

    # What we were told to do, by the response's own instructions or by a system message.

    def _ordered(self) -> Reply:
        last = self.history[-1] if self.history else None
        order = self.scene.told or (last.text if last is not None and last.who == "note" else "")
        if not order:
            return ()
        sentence = quoted(order)
        if sentence:
            return (Say(sentence, language_of(sentence, self.language)),)
        key = _KEY.search(order) if not self.scene.told else None
        if key is not None:
            return self._after_key(key[1])
        if _RESUME.search(order):
            return self._resumed()
        if _GREET.search(order):
            return self._say("opening")
        if _FAREWELL.search(order):
            # Whoever orders the last words ends the call as well.
            return self._say("nobody_there" if _NOBODY.search(order) else "time_is_up")
        return ()

    def _resumed(self) -> Reply:
        """After a break in the line: sorry, and on with what was due."""
        return self._after_saying("sorry_for_that", self._natural() or self._repeat())

    def _after_saying(self, key: str, due: Reply) -> Reply:
        """What is due, in one breath with what is said before it."""
        spoken = [part for part in due if isinstance(part, Say)]
        text = " ".join((PHRASES[key][self.language], *(part.text for part in spoken)))
        calls = tuple(part for part in due if isinstance(part, Call))
        return (Say(text, spoken[0].language if spoken else self.language), *calls)

    def _forced(self, name: str) -> Reply:
        tool = next((tool for tool in self.tools.values() if tool.name == name), None)
        if tool is None:
            tool = Tool(kind_of(name) or "", name, _schema(self.scene.tools, name))
        return (Call(name, tool.arguments(self._facts(self._matter() or "ended"))),)

    # What follows from the conversation.

    def _natural(self) -> Reply:
        recent = [turn for turn in self.history if turn.who != "note"]
        last = recent[-1] if recent else None
        if last is None:
            return self._say("opening")
        if last.who == "silence":
            return self._after_silence()
        if last.who == "caller":
            return self._after_words(last)
        matter = self._matter()
        if last.who == "result" and _FAREWELL.search(last.text):
            return self._say("goodbye")
        if matter is None:
            return self._say("opening") if last.who == "ai" and last.was_cut and not self._has_opened() else ()
        return self._next_step(matter)

    def _after_silence(self) -> Reply:
        n_silent = 0
        for turn in reversed(self.history):
            if turn.who == "caller":
                break
            n_silent += turn.who == "silence"
        matter = self._matter()
        if matter in MACHINES:
            return self._next_step(matter)
        if n_silent == 1:
            return self._say("are_you_there")
        if n_silent == 2:
            return self._say("are_you_there_again")
        return self._next_step(matter if matter and self._is_settled() else "silence", has_left=True)

    def _after_words(self, last: Turn) -> Reply:
        if not last.intents:
            return self._after_something_else(last)
        intent = next((one for one in reversed(last.intents) if one in MATTER_OF_INTENT), last.intents[-1])
        if self._has_hung_up() and intent not in MATTER_OF_INTENT:
            return self._once_more("goodbye")
        if intent == "greeting":
            return self._say("pitch" if self._has_opened() and not self._speaks_to_gatekeeper() else "opening")
        if intent in ASIDES:
            return self._say(ASIDES[intent])
        if intent == "who_is_calling":
            return self._say("who_and_why")
        if intent == "screener":
            return self._say("who_and_why")
        if intent == "ask_repeat":
            return self._repeat()
        if intent == "still_there":
            return self._say("still_here", *(part.text for part in self._repeat() if isinstance(part, Say)))
        matter = self._matter()
        if intent == "other_language":
            return self._in_their_language(matter)
        if intent == "confirm":
            if matter == "busy" and self._was_asked("offer_callback"):
                return self._next_step("callback")
            return self._next_step(matter or "interested")
        if intent == "goodbye":
            return self._next_step(matter or "ended", has_left=True)
        return self._next_step(matter or "interested")

    def _in_their_language(self, matter: str | None) -> Reply:
        due = self._after_saying("your_language", self._next_step(matter) if matter else self._say("pitch"))
        if "change_language" in self.tools:
            due += (Call(self.tools["change_language"].name, self._arguments("change_language", "ended")),)
        return due

    def _after_something_else(self, last: Turn) -> Reply:
        if last.tone_ms and not last.text:
            matter = self._matter()
            return self._next_step(matter) if matter in ("voicemail", "fax") else ()
        key = _KEY.search(last.text)
        if key is not None:
            return self._after_key(key[1])
        n_unclear = 0
        for turn in reversed(self.caller_turns):
            if turn.intents:
                break
            n_unclear += 1
        if n_unclear == 1:
            return self._say("say_again")
        if n_unclear == 2:
            return self._say("say_again_slowly")
        return self._next_step("unclear")

    def _after_key(self, digit: str) -> Reply:
        """A pressed key means what the instructions say: only "press 9 to be removed" is understood."""
        key = rf"\b(?:press\w*|key|puls\w*|tecla|stiskn\w*)\b[^.\n]{{0,30}}{re.escape(digit)}"
        removal = rf"{key}[^.\n]*(?:remov|opt|list|lista|seznam)"
        removes = re.search(removal, self.scene.instructions, re.IGNORECASE)
        return self._next_step("opt_out") if removes else self._say("go_ahead")

    # Walking through a plan.

    def _next_step(self, matter: str, *, has_left: bool = False) -> Reply:
        matter = self._possible(matter)
        since = self._since(matter)
        steps = PLANS[matter]
        if matter == "callback" and self._was_asked("offer_callback"):
            steps = (steps[0], steps[2])  # the time was ours: it needs no second yes
        for step in steps:
            if step.asks and has_left:
                continue
            calls = [kind for kind in step.calls if kind in self.tools and not self._called(kind, matter, since)]
            is_said = not step.says or self._is_said(self._text(step.says, matter), since)
            if not calls and is_said:
                if step.asks and not self._answered_since(self._text(step.says, matter)):
                    return ()
                continue
            spoken = () if is_said else self._say(step.says)
            made = tuple(Call(self.tools[kind].name, self._arguments(kind, matter)) for kind in calls)
            return spoken + made
        if has_left or self._caller_spoke_last():
            return self._once_more("goodbye")
        return ()

    def _possible(self, matter: str) -> str:
        """The way there with the tools that are offered and have not failed."""
        for kind, way in WITH_TOOL.get(matter, ()):
            if kind in self.tools and not self._failed(kind):
                return way
        return WITHOUT.get(matter, matter)

    def _once_more(self, says: str) -> Reply:
        """A last word to somebody who still talks after the end was agreed."""
        if "end_call" not in self.tools:
            return self._say(says)
        return (*self._say(says), Call(self.tools["end_call"].name, self._arguments("end_call", "ended")))

    def _say(self, key: str, *more: str) -> Reply:
        text = " ".join((self._text(key, self._matter() or "ended"), *more))
        return (Say(text, self._voice_for(key, text)),)

    def _voice_for(self, key: str, text: str) -> str:
        from_brief = {
            "opening": self.brief.greeting,
            "shall_we": self.brief.question,
            "voicemail": self.brief.voicemail,
        }
        return language_of(text, self.language) if from_brief.get(key) == text else self.language

    def _text(self, key: str, matter: str) -> str:
        language = self.language
        if key == "opening":
            return self.brief.opening(language)
        if key == "pitch":
            return f"{self.brief.reason(language)} {PHRASES['tell_you_more'][language]}"
        if key == "who_and_why":
            return f"{self.brief.identity(language)} {self.brief.reason(language)}"
        if key == "shall_we" and language_of(self.brief.question, "") == language:
            return self.brief.question
        if key == "voicemail":
            if language_of(self.brief.voicemail, "") == language:
                return self.brief.voicemail
            return f"{self.brief.identity(language)} {PHRASES[key][language]}"
        if key == "removed" and self._failed("opt_out"):
            key = "removal_failed"
        if key == "callback_set" and self._failed("schedule_callback"):
            key = "callback_failed"
        return PHRASES[key][language]

    def _repeat(self) -> Reply:
        for turn in reversed(self.history):
            if turn.who == "ai" and turn.text:
                return (Say(turn.text, self.language),)
        return self._say("opening")

    # What the conversation tells.

    def _language(self) -> str:
        for turn in reversed(self.history):
            if turn.who == "caller" and turn.language in LANGUAGES:
                return str(turn.language)
        return self.brief.language or language_of(self.scene.instructions, "en")

    def _matter(self) -> str | None:
        """What the contact wants, by the last turn that told."""
        for at in range(len(self.history) - 1, -1, -1):
            turn = self.history[at]
            if turn.who != "caller":
                continue
            told = [MATTER_OF_INTENT[intent] for intent in turn.intents if intent in MATTER_OF_INTENT]
            if told:
                return told[-1]
            if "greeting" in turn.intents and self._gatekeeper_before(at):
                return None
            if "confirm" in turn.intents:
                return self._matter_confirmed(at)
            if not turn.text and turn.tone_ms >= _FAX_TONE_MS:
                return "fax"
        return None

    def _matter_confirmed(self, at: int) -> str:
        earlier = _Mind(Scene("", (), self.history[:at], self.scene.now))
        matter = earlier._matter()
        if matter == "busy" and earlier._was_asked("offer_callback"):
            return "callback"
        return matter or "interested"

    def _gatekeeper_before(self, at: int) -> bool:
        return any({"screener", "ivr_menu"} & set(turn.intents) for turn in self.history[:at])

    def _speaks_to_gatekeeper(self) -> bool:
        """The one before the last caller turns was a machine that put us through."""
        earlier = self.caller_turns[:-1]
        connected = {"screener", "screener_connecting", "ivr_menu", "ivr_connecting"}
        return bool(earlier) and bool(connected & set(earlier[-1].intents))

    def _since(self, matter: str) -> int:
        """Where in the history the matter came up; what was said before does not count for it."""
        intents = {intent for intent, found in MATTER_OF_INTENT.items() if found == matter.split("_later")[0]}
        for at, turn in enumerate(self.history):
            if turn.who == "caller" and intents & set(turn.intents):
                return at
        return 0

    def _has_opened(self) -> bool:
        return any(turn.who == "ai" and turn.text and not turn.was_cut for turn in self.history)

    def _has_hung_up(self) -> bool:
        return any(turn.who == "call" and kind_of(turn.name) == "end_call" for turn in self.history)

    def _is_settled(self) -> bool:
        return any(turn.who == "call" and kind_of(turn.name) == "set_disposition" for turn in self.history)

    def _caller_spoke_last(self) -> bool:
        return bool(self.history) and self.history[-1].who == "caller"

    def _is_said(self, text: str, since: int) -> bool:
        return any(turn.who == "ai" and turn.text.endswith(text) and not turn.was_cut for turn in self.history[since:])

    def _was_asked(self, key: str) -> bool:
        texts = tuple(PHRASES[key].values())
        return any(turn.who == "ai" and turn.text.endswith(texts) and not turn.was_cut for turn in self.history)

    def _answered_since(self, text: str) -> bool:
        asked = max(at for at, turn in enumerate(self.history) if turn.who == "ai" and turn.text.endswith(text))
        return any(turn.who == "caller" and turn.intents for turn in self.history[asked:])

    def _called(self, kind: str, matter: str, since: int) -> bool:
        wanted = self._arguments(kind, matter) if kind == "set_disposition" else None
        for turn in self.history[since:] if kind == "end_call" else self.history:
            if turn.who != "call" or kind_of(turn.name) != kind:
                continue
            if wanted is None or is_same_code(turn.arguments, wanted):
                return not (kind == "end_call" and self._caller_spoke_last())
        return False

    def _failed(self, kind: str) -> bool:
        """The last call of that kind was answered with a refusal."""
        calls = [turn for turn in self.history if turn.who == "call" and kind_of(turn.name) == kind]
        return bool(calls) and calls[-1].call_id in self.results and is_refusal(self.results[calls[-1].call_id].text)

    # What to tell a tool.

    def _arguments(self, kind: str, matter: str) -> dict[str, Any]:
        return self.tools[kind].arguments(self._facts(matter))

    def _facts(self, matter: str) -> Matter:
        now = self.brief.now or self.scene.now
        at = (now + timedelta(days=1)).replace(hour=15, minute=0, second=0, microsecond=0)
        if matter in ("human", "human_later"):
            at = at.replace(hour=10)
            while at.weekday() >= 5:
                at += timedelta(days=1)
        words = next((turn.text for turn in reversed(self.caller_turns) if turn.text and turn.text != UNCLEAR), "")
        text = ": ".join(filter(None, (self.brief.company, PHRASES["text_message"][self.language])))
        return Matter(OUTCOMES.get(matter, matter), at, now, self.language, words, text=text)

    def _summary(self) -> str:
        names = {"caller": "Contact", "ai": "AI"}
        talk = [f"{names[turn.who]}: {turn.text}" for turn in self.history if turn.who in names and turn.text]
        return " ".join(talk) or "Nothing was said."


def _schema(tools: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((tool.get("parameters") or {} for tool in tools if tool.get("name") == name), {})
