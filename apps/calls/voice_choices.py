"""Whether a voice AI can do what a virtual agent asks of it, and what it lacks. Pure: declared, not guessed.

Asked by the back office and the API alike, before anything is saved.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.accounts.models import Language
from apps.calls.models import Provider, TargetKind, ToolName
from apps.calls.reviewing import check_fields
from apps.calls.voice_ai.base import ANY_LANGUAGE, Capabilities
from apps.calls.voice_ai.capabilities import CAPABILITIES

# Who can think for a pipeline, and who can lend it a voice.
LLM_SERVICES = ("openai", "gemini")
SPEECH_SERVICES = ("gemini",)
_MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]{1,60}"
_PREFIX = re.compile(r"\+[1-9][0-9]{2,14}")

Problems = dict[str, str]  # field → what is wrong with it, in the language of whoever reads it


@dataclass(frozen=True, slots=True)
class Choice:
    """A voice AI as somebody wants to use it. voices: language → voice, "" for the usual one."""

    provider: str
    model: str = ""
    llm: str = ""
    speech: str = ""
    voices: Mapping[str, str] | None = None


def problems_of(choice: Choice, *, languages: Collection[str], uses_tools: bool) -> Problems:
    """What the provider lacks, by field: model, llm, speech, voice_xx, tools, provider. languages: to be spoken."""
    capabilities = CAPABILITIES.get(choice.provider)
    if capabilities is None:
        return {"provider": _("This voice AI is not known.")}
    name = Provider(choice.provider).label
    found: Problems = {}
    if choice.model and choice.model not in capabilities.models:
        models = ", ".join(capabilities.models)
        found["model"] = _say(
            _("%(name)s has no model of that name. Choose one of: %(models)s."), name=name, models=models
        )
    found |= _parts(choice, capabilities, name)
    if "speech" not in found:
        found |= _voices(choice, capabilities, name)
        unspoken = sorted(set(languages) - capabilities.speaks)
        if unspoken and not choice.speech:
            words = ", ".join(str(Language(code).label) for code in unspoken)
            field, text = (
                ("speech", _("%(name)s has no voice for %(words)s. Choose a second voice that speaks it."))
                if capabilities.is_pipeline
                else ("provider", _("%(name)s does not speak %(words)s."))
            )
            found[field] = _say(text, name=name, words=words)
    if deaf := sorted(set(languages) - capabilities.hears):
        words = ", ".join(str(Language(code).label) for code in deaf)
        found["provider"] = _say(_("%(name)s does not understand %(words)s."), name=name, words=words)
    if uses_tools and not capabilities.tools:
        found["tools"] = _say(_("%(name)s cannot use tools. Switch them all off, or choose another."), name=name)
    return found


def _parts(choice: Choice, capabilities: Capabilities, name: str) -> Problems:
    """Language model and second voice: needed by a pipeline, and of no use to anyone else."""
    if not capabilities.is_pipeline:
        alone = _say(_("%(name)s thinks and speaks by itself: leave this empty."), name=name)
        return {field: alone for field in ("llm", "speech") if getattr(choice, field)}
    found: Problems = {}
    if not choice.llm:
        found["llm"] = _say(
            _("%(name)s only listens and speaks. Say who thinks, for example openai:gpt-6-luna."), name=name
        )
    for field, services in (("llm", LLM_SERVICES), ("speech", SPEECH_SERVICES)):
        value = getattr(choice, field)
        if value and not re.fullmatch(rf"({'|'.join(services)}):{_MODEL}", value):
            known = ", ".join(f"{service}:…" for service in services)
            found[field] = _say(_("Write service and model, as in %(known)s."), known=known)
    return found


def _voices(choice: Choice, capabilities: Capabilities, name: str) -> Problems:
    found: Problems = {}
    for language, voice in (choice.voices or {}).items():
        if not voice:
            continue
        known = voices_for(choice.provider, language, speech=choice.speech)
        words = str(Language(language).label)
        if not known:
            text = _("%(name)s has no voice for %(words)s. Choose a second voice, or leave this empty.")
            found[f"voice_{language}"] = _say(text, name=name, words=words)
        elif voice not in known:
            text = _("%(name)s has no such voice for %(words)s. Choose one of: %(known)s.")
            found[f"voice_{language}"] = _say(text, name=name, words=words, known=", ".join(known))
    return found


def voices_for(provider: str, language: str, *, speech: str = "") -> tuple[str, ...]:
    """What may be chosen to speak a language with; of a pipeline that lacks it, what its second voice offers."""
    capabilities = CAPABILITIES[provider]
    own = capabilities.voices.get(language) or capabilities.voices.get(ANY_LANGUAGE) or ()
    service = speech.partition(":")[0]
    if own or not capabilities.is_pipeline or service not in CAPABILITIES:
        return tuple(own)
    lent = CAPABILITIES[service].voices
    return tuple(lent.get(language) or lent.get(ANY_LANGUAGE) or ())


def tool_problems(tools: Collection[str], *, target_kinds: Collection[str], prefixes: Iterable[object]) -> Problems:
    """What tools of an agent lack, and what is wrong with the beginnings of numbers it may call.

    target_kinds: of the transfer targets it is given, those in use.
    """
    found: Problems = {}
    wanted = list(prefixes)
    wrong = [prefix for prefix in wanted if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix)]
    if wrong:
        text = _("Each begins with + and at least three digits, for example +420222. Not so: %(wrong)s.")
        found["transfer_prefixes"] = _say(text, wrong=", ".join(str(prefix)[:20] for prefix in wrong[:3]))
    people = {TargetKind.QUEUE.value, TargetKind.PERSON.value} & set(target_kinds)
    if ToolName.HAND_OVER.value in tools and not people:
        found["transfer_targets"] = _("To hand calls over it needs a queue or a person among its transfer targets.")
    elif ToolName.TRANSFER_TO_NUMBER.value in tools and not wanted and TargetKind.NUMBER.value not in target_kinds:
        found["transfer_targets"] = _(
            "To connect calls to a number it needs one among its transfer targets, or an allowed beginning."
        )
    return found


def review_problems(llm: str, fields: object) -> Problems:
    """What is wrong with who reviews calls, and with what is to be found in them."""
    found: Problems = {}
    if llm and not re.fullmatch(rf"({'|'.join(LLM_SERVICES)}):{_MODEL}", llm):
        known = ", ".join(f"{service}:…" for service in LLM_SERVICES)
        found["review_llm"] = _say(_("Write service and model, as in %(known)s."), known=known)
    if fields and (wrong := check_fields(fields)):
        found["extracted_fields"] = _say(_("Not a JSON schema: %(wrong)s."), wrong=wrong)
    return found


def spoken_languages(main: str, greetings: Mapping[str, str | None]) -> set[str]:
    """What an agent is meant to speak: its main language, and those it has a greeting in."""
    return {main, *(language for language, greeting in greetings.items() if greeting and greeting.strip())}


def _say(text: str, **names: str) -> str:
    return text % names
