"""Opening a media stream: the one place where the audio path asks the database, before the first frame."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.accounts.models import Language
from apps.calls.bridge.limits import Limits
from apps.calls.bridge.plan import CallPlan, Engine, RecordingPlan, instructions_for, not_transferred_prompt
from apps.calls.events import EventKind
from apps.calls.models import (
    Call,
    CallEvent,
    Carrier,
    Leg,
    Recorder,
    Speaker,
    ToolName,
    Turn,
    VirtualAgent,
    VoiceAIChoice,
    VoicemailRecording,
)
from apps.calls.models.answering import VoicemailAction
from apps.calls.opening import answering, opening
from apps.calls.services.handover import last_resort_of
from apps.calls.services.recordings import is_refused
from apps.calls.states import LegState
from apps.calls.tools import specs_for
from apps.calls.voice_ai.base import ANY_LANGUAGE, PastTurn, VoiceBrief
from apps.calls.voice_ai.capabilities import CAPABILITIES, usual_voice
from apps.contacts.rules import RulePack, all_packs, pack_for
from apps.core import phone

_MAX_HISTORY = 100


class StreamRefused(Exception):
    """The stream may not be opened. reason: a stable code for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def load_plan(media_token: str, carrier: str) -> CallPlan:
    """Use up a leg's media token and gather all that its session needs. Raises StreamRefused.

    The token opens one stream: of two sockets with the same token one finds it used.
    """
    now = timezone.now()
    is_mine = Leg.objects.filter(
        media_token=media_token,
        carrier=carrier,
        media_token_expires_at__gt=now,
        state__in=[LegState.QUEUED, LegState.RINGING, LegState.ANSWERED],
    ).update(
        media_token_expires_at=None,
        media_opened_at=Coalesce(F("media_opened_at"), now),
        media_heartbeat_at=now,
        n_media_sessions=F("n_media_sessions") + 1,
        updated_at=now,
    )
    leg = (
        Leg.objects.select_related("call__contact", "call__virtual_agent")
        .filter(media_token=media_token)
        .only(*_LEG_FIELDS, *_CALL_FIELDS)
        .first()
    )
    if not is_mine:
        raise StreamRefused("unknown_token" if leg is None else "used_token")
    if leg is None or leg.call.virtual_agent is None or leg.call.end_reason:
        raise StreamRefused("no_conversation")
    return _plan(leg)


_IN_LANGUAGES = ("greeting", "instructions", "voice", "ai_disclosure", "recording_notice", "voicemail_message")
_LEG_FIELDS = ("call_id", "carrier", "carrier_call_id", "media_opened_at", "n_media_sessions")
_CALL_FIELDS = tuple(
    f"call__{name}"
    for name in (
        *("language", "remote_phone", "brief", "correlation_id", "end_reason"),
        *("contact__first_name", "contact__last_name", "contact__time_zone", "contact__fields"),
        *(
            f"virtual_agent__{field}"
            for field in (
                *("name", "speaks_as", "company", "provider", "model", "llm", "speech"),
                *("tools", "transfer_prefixes", "is_recorded", "recorded_by"),
                *("last_resort_target", "on_voicemail", "on_screener", "on_ivr", "on_silence", "changes_language"),
            )
        ),
        *(f"virtual_agent__{field}" for field in _IN_LANGUAGES),
        *(f"virtual_agent__{field}_{code}" for field in _IN_LANGUAGES for code in Language.values),
    )
)


def _plan(leg: Leg) -> CallPlan:
    call = leg.call
    agent, contact = call.virtual_agent, call.contact
    assert agent is not None  # noqa: S101 - load_plan has looked
    now = timezone.now()
    zone = contact.time_zone if contact is not None else _zone_of(call.remote_phone)
    opened_before = leg.n_media_sessions > 1 and leg.media_opened_at is not None
    campaign_id = call.brief.get("campaign_id")
    pack = pack_for(_country_of(call.remote_phone)) or all_packs()[""]
    recording = _recording(call, agent, pack)
    values = {
        "first_name": contact.first_name if contact is not None else "",
        "agent": agent.speaks_as,
        "company": agent.company,
    }
    came_back = opened_before and _was_not_transferred(call.pk)
    said = _said(call.pk) if opened_before else []
    openings = {
        language: opening(agent, language, pack=pack, is_recorded=recording is not None, values=values)
        for language in Language.values
    }
    greetings = {language: said.text for language, said in openings.items()}
    return CallPlan(
        call_id=call.pk,
        leg_id=leg.pk,
        correlation_id=str(call.correlation_id),
        campaign_id=int(campaign_id) if campaign_id is not None else None,
        carrier_call_id=leg.carrier_call_id or "",
        carrier=leg.carrier,
        account_id=settings.TWILIO_ACCOUNT_SID if leg.carrier == Carrier.TWILIO else "",
        engines=_engines(call, agent, greetings, now.astimezone(ZoneInfo(zone)), is_recorded=recording is not None),
        language=call.language,
        greetings=greetings,
        time_zone=zone,
        limits=Limits(
            max_call_s=settings.CALL_MAX_MINUTES * 60.0,
            silence_s=float(settings.CALL_SILENCE_S),
            burst_s=float(settings.MEDIA_BURST_S),
            tries_before_failover=settings.VOICE_AI_TRIES_BEFORE_FAILOVER,
            failover_after_s=float(settings.VOICE_AI_FAILOVER_AFTER_S),
        ),
        history=[PastTurn("caller" if turn.speaker == Speaker.CALLER else "ai", turn.text) for turn in said],
        owes_greeting=bool(said) and all(turn.was_interrupted for turn in said if turn.speaker == Speaker.AI),
        offset_ms=_ms(now - leg.media_opened_at) if opened_before and leg.media_opened_at else 0,
        recording=recording,
        is_recording_announced=openings[call.language].is_recording_announced,
        answering=answering(agent, values=values, languages=Language.values, recordings=_voicemail_recordings(agent)),
        opening_prompt=not_transferred_prompt(call.language) if came_back else "",
        is_recording_paused=opened_before and _is_recording_paused(call.pk),
        # Whom a transfer brought back is called back, rather than sent there once more.
        last_resort_transfer_to="" if came_back else last_resort_of(agent, now=now),
        changes_to=frozenset(Language.values) if agent.changes_language else frozenset(),
    )


def _voicemail_recordings(agent: VirtualAgent) -> list[VoicemailRecording]:
    """Read only where a message may be left."""
    if agent.on_voicemail != VoicemailAction.LEAVE_MESSAGE and ToolName.LEAVE_VOICEMAIL.value not in agent.tools:
        return []
    return list(agent.voicemail_recordings.all())


def _recording(call: Call, agent: VirtualAgent, pack: RulePack) -> RecordingPlan | None:
    """What the rules of the person's country say, if the call is to be recorded at all."""
    if not agent.is_recorded or not call.brief.get("is_recorded", True) or is_refused(call.pk):
        return None
    by_carrier = agent.recorded_by == Recorder.CARRIER
    return RecordingPlan(need=pack.recording, rule_version=pack.version, by_carrier=by_carrier)


def _engines(
    call: Call, agent: VirtualAgent, greetings: Mapping[str, str], local_now: datetime, *, is_recorded: bool
) -> list[Engine]:
    """The virtual agent's own provider first, then those that take over, each with a brief per language."""
    contact = call.contact
    tools = specs_for(agent, is_recorded=is_recorded)
    instructions = {
        language: instructions_for(
            company=agent.company,
            speaks_as=agent.speaks_as,
            language=language,
            local_now=local_now,
            contact_name=contact.name if contact is not None else "",
            contact_fields=contact.fields if contact is not None else {},
            greeting=greetings[language],
            instructions=_in_language(agent, "instructions", language),
        )
        for language in Language.values
    }

    def brief(choice: VoiceAIChoice, language: str) -> VoiceBrief:
        return VoiceBrief(
            model=choice.model or CAPABILITIES[choice.provider].models[0],
            voice=_voice(choice, language),
            instructions=instructions[language],
            language=language,
            languages=[language, *(code for code in Language.values if code != language)],
            tools=tools,
            caller_id=_pseudonym(call.remote_phone),
            idle_prompt_ms=settings.CALL_IDLE_PROMPT_S * 1000 or None,
            llm=choice.llm,
            speech=choice.speech,
        )

    return [
        Engine(choice.provider, {language: brief(choice, language) for language in Language.values})
        for choice in (agent, *agent.fallbacks.all())
    ]


def _voice(choice: VoiceAIChoice, language: str) -> str:
    """The voice chosen for the language; one that speaks every language serves where none is chosen for this one."""
    chosen = getattr(choice, f"voice_{language}", None)
    if not chosen and ANY_LANGUAGE in CAPABILITIES[choice.provider].voices:
        chosen = getattr(choice, "voice_en", None)
    return str(chosen or usual_voice(choice.provider, language))


def _is_recording_paused(call_id: int) -> bool:
    kinds = [EventKind.RECORDING_PAUSED, EventKind.RECORDING_RESUMED]
    last = CallEvent.objects.filter(call_id=call_id, kind__in=kinds).order_by("-at", "-pk").first()
    return last is not None and last.kind == EventKind.RECORDING_PAUSED


def _was_not_transferred(call_id: int) -> bool:
    """Whether this stream is there because the call could not be given to somebody else."""
    kinds = [EventKind.SESSION_STARTED, EventKind.TRANSFER_FAILED]
    last = CallEvent.objects.filter(call_id=call_id, kind__in=kinds).order_by("-at", "-pk").first()
    return last is not None and last.kind == EventKind.TRANSFER_FAILED


def _said(call_id: int) -> list[Turn]:
    """The last turns of the call, the oldest first."""
    said = Turn.objects.filter(call_id=call_id).exclude(text="").exclude(speaker=Speaker.SYSTEM)
    return list(said.order_by("-started_ms", "-pk")[:_MAX_HISTORY])[::-1]


def _in_language(agent: VirtualAgent, field: str, language: str) -> str:
    """The agent's text in the language of the call, not in that of some reader."""
    return str(getattr(agent, f"{field}_{language}", None) or getattr(agent, f"{field}_en", None) or "")


def _zone_of(e164: str) -> str:
    try:
        return phone.read_phone(e164, default_country=settings.DEFAULT_COUNTRY).time_zone or settings.TIME_ZONE
    except phone.BadPhoneNumber:
        return str(settings.TIME_ZONE)


def _country_of(e164: str) -> str:
    try:
        return phone.read_phone(e164, default_country=settings.DEFAULT_COUNTRY).country
    except phone.BadPhoneNumber:
        return ""


def _pseudonym(e164: str) -> str:
    """The same for each call of a number, and not to be turned back into it without our key."""
    return hashlib.blake2b(e164.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16).hexdigest()


def _ms(duration: timedelta) -> int:
    return max(0, int(duration.total_seconds() * 1000))


def bound_ids(plan: CallPlan) -> dict[str, Any]:
    """What every log line of a conversation carries."""
    ids: dict[str, Any] = {"call_id": plan.call_id, "leg_id": plan.leg_id, "correlation_id": plan.correlation_id}
    if plan.campaign_id is not None:
        ids["campaign_id"] = plan.campaign_id
    return ids
