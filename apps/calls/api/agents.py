"""Virtual agents by API, and whom they may hand calls to."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from apps.accounts.models import Language
from apps.accounts.roles import Permission
from apps.calls.api.voicemail import HasVoicemailRecordings, VoicemailRecordingSerializer
from apps.calls.models import HttpTool, TransferTarget, VirtualAgent, VoiceAIFallback
from apps.calls.models.tool import all_tools
from apps.calls.models.transfer_target import Weekday
from apps.calls.voice_choices import Choice, Problems, problems_of, review_problems, spoken_languages, tool_problems

_LANGUAGES = [code for code, _name in Language.choices]
_VOICES = [f"voice_{code}" for code in _LANGUAGES]


class FallbackSerializer(serializers.ModelSerializer[VoiceAIFallback]):
    """Who takes over when those before it have failed."""

    class Meta:
        model = VoiceAIFallback
        fields = ["provider", "model", *_VOICES, "llm", "speech"]


class VirtualAgentSerializer(serializers.ModelSerializer[VirtualAgent]):
    """Greeting and instructions exist once per language; English is what the others fall back to.

    What the voice AI lacks for what is asked of it is refused, field by field.
    """

    tools = serializers.MultipleChoiceField(choices=[(name, name) for name in all_tools()], required=False)
    fallbacks = FallbackSerializer(
        many=True, required=False, help_text="In the order in which they take over; given, it replaces them all."
    )
    transfer_targets = serializers.SlugRelatedField[TransferTarget](
        slug_field="code", queryset=TransferTarget.objects.filter(is_active=True), many=True, required=False
    )
    transfer_prefixes = serializers.ListField(
        child=serializers.CharField(max_length=16),
        required=False,
        max_length=50,
        help_text="Beginnings of further numbers that calls may be connected to, for example +420222.",
    )
    last_resort_target = serializers.SlugRelatedField[TransferTarget](
        slug_field="code", queryset=TransferTarget.objects.filter(is_active=True), required=False, allow_null=True
    )
    http_tools = serializers.SlugRelatedField[HttpTool](
        slug_field="name", queryset=HttpTool.objects.filter(is_active=True), many=True, required=False
    )
    voicemail_recordings = VoicemailRecordingSerializer(
        many=True, read_only=True, help_text="Messages that are played after the beep; each is uploaded by itself."
    )

    class Meta:
        model = VirtualAgent
        fields = [
            "id",
            "name",
            "speaks_as",
            "company",
            *(f"greeting_{code}" for code in _LANGUAGES),
            *(f"instructions_{code}" for code in _LANGUAGES),
            *(f"ai_disclosure_{code}" for code in _LANGUAGES),
            *(f"recording_notice_{code}" for code in _LANGUAGES),
            *(f"voicemail_message_{code}" for code in _LANGUAGES),
            "voicemail_recordings",
            "provider",
            "model",
            *_VOICES,
            "llm",
            "speech",
            "fallbacks",
            "language",
            "tools",
            "transfer_targets",
            "transfer_prefixes",
            "last_resort_target",
            "http_tools",
            "changes_language",
            "on_voicemail",
            "on_screener",
            "on_ivr",
            "on_silence",
            "is_recorded",
            "recorded_by",
            "review_llm",
            "extracted_fields",
            "qa_checklist",
            "is_active",
        ]
        extra_kwargs = {
            "greeting_en": {"required": True, "allow_blank": False, "allow_null": False},
            "instructions_en": {"required": True, "allow_blank": False, "allow_null": False},
        }

    def validate_tools(self, value: Any) -> list[str]:
        return [name for name in all_tools() if name in value]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        agent = self.instance

        def value(name: str, default: Any = "") -> Any:
            """As it would be once saved."""
            if name in attrs:
                return attrs[name]
            return getattr(agent, name) if agent is not None else default

        greetings = {code: value(f"greeting_{code}") for code in _LANGUAGES}
        languages = spoken_languages(value("language", Language.ENGLISH), greetings)
        tools = value("tools", VirtualAgent._meta.get_field("tools").get_default())
        custom = _rows(value("http_tools", []))
        uses_tools = bool(tools or custom)
        voices = {code: value(f"voice_{code}") or "" for code in _LANGUAGES}
        own = Choice(value("provider", "openai"), value("model"), value("llm"), value("speech"), voices=voices)
        problems: dict[str, Any] = dict(problems_of(own, languages=languages, uses_tools=uses_tools))
        kinds = {target.kind for target in _rows(value("transfer_targets", [])) if target.is_active}
        problems |= tool_problems(tools, target_kinds=kinds, prefixes=value("transfer_prefixes", []))
        problems |= review_problems(value("review_llm"), value("extracted_fields", {}))
        if "fallbacks" in attrs:
            found = [_fallback_problems(row, languages, uses_tools) for row in attrs["fallbacks"]]
            if any(found):
                problems["fallbacks"] = found
        if problems:
            raise serializers.ValidationError(problems)
        return attrs

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> VirtualAgent:
        fallbacks = validated_data.pop("fallbacks", [])
        agent = super().create(validated_data)
        _set_fallbacks(agent, fallbacks)
        return agent

    @transaction.atomic
    def update(self, instance: VirtualAgent, validated_data: dict[str, Any]) -> VirtualAgent:
        fallbacks = validated_data.pop("fallbacks", None)
        agent = super().update(instance, validated_data)
        if fallbacks is not None:
            _set_fallbacks(agent, fallbacks)
        return agent


def _fallback_problems(row: dict[str, Any], languages: set[str], uses_tools: bool) -> Problems:
    voices = {code: row.get(f"voice_{code}") or "" for code in _LANGUAGES}
    choice = Choice(
        row.get("provider", "openai"), row.get("model", ""), row.get("llm", ""), row.get("speech", ""), voices=voices
    )
    return problems_of(choice, languages=languages, uses_tools=uses_tools)


def _set_fallbacks(agent: VirtualAgent, rows: list[dict[str, Any]]) -> None:
    agent.fallbacks.all().delete()
    for position, row in enumerate(rows, start=1):
        VoiceAIFallback.objects.create(virtual_agent=agent, position=position, **row)


def _rows(found: Any) -> list[Any]:
    """Objects that came with the request, or those of the row behind a relation."""
    return list(found) if isinstance(found, list | QuerySet) else list(found.all())


class VirtualAgentViewSet(HasVoicemailRecordings, viewsets.ModelViewSet[VirtualAgent]):
    """Who speaks, how, and what they may do."""

    queryset = VirtualAgent.objects.order_by("name").prefetch_related(
        "fallbacks", "transfer_targets", "http_tools", "voicemail_recordings"
    )
    serializer_class = VirtualAgentSerializer
    lookup_value_converter = "int"
    permission = Permission.SETUP_EDIT
    permissions = {
        "list": Permission.CAMPAIGNS_VIEW,
        "retrieve": Permission.CAMPAIGNS_VIEW,
        "voicemail_recording": Permission.CAMPAIGNS_VIEW,
    }
    filterset_fields = ["provider", "language", "is_active"]
    search_fields = ["name", "company", "speaks_as"]
    ordering_fields = ["name"]


class TransferTargetSerializer(serializers.ModelSerializer[TransferTarget]):
    open_days = serializers.ListField(
        child=serializers.ChoiceField(choices=Weekday.values), required=False, help_text="Monday is 0; none: every day."
    )

    class Meta:
        model = TransferTarget
        fields = [
            "id",
            "code",
            *(f"name_{code}" for code in _LANGUAGES),
            *(f"description_{code}" for code in _LANGUAGES),
            "kind",
            "e164",
            "open_days",
            "opens_at",
            "closes_at",
            "time_zone",
            "is_active",
        ]
        extra_kwargs = {"name_en": {"required": True, "allow_blank": False, "allow_null": False}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance
        times = [
            attrs.get(name, getattr(before, name) if before is not None else None) for name in ("opens_at", "closes_at")
        ]
        TransferTarget(opens_at=times[0], closes_at=times[1]).clean()  # the framework turns its error into ours
        return attrs


class TransferTargetViewSet(viewsets.ModelViewSet[TransferTarget]):
    """Whom virtual agents may hand calls to: queues, persons, numbers."""

    queryset = TransferTarget.objects.order_by("code")
    serializer_class = TransferTargetSerializer
    lookup_value_converter = "int"
    permission = Permission.SETUP_EDIT
    permissions = {"list": Permission.CAMPAIGNS_VIEW, "retrieve": Permission.CAMPAIGNS_VIEW}
    filterset_fields = ["kind", "is_active"]
    search_fields = ["code", "name"]
    ordering_fields = ["code"]
