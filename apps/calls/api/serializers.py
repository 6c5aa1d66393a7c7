from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from apps.accounts.models import Language
from apps.calls.models import Call, CallEvent, CallReview, CostItem, Disposition, Leg, Number, Turn
from apps.contacts.api.fields import PhoneField, PrivateDataField

_LANGUAGES = [code for code, _name in Language.choices]


class NumberSerializer(serializers.ModelSerializer[Number]):
    e164 = serializers.RegexField(
        r"^\+[1-9][0-9]{6,14}$",
        help_text="E.164, for example +12025550123.",
        error_messages={"invalid": _("Write it in full with country code, for example +12025550123.")},
        validators=[UniqueValidator(Number.objects.all())],
    )

    class Meta:
        model = Number
        fields = ["id", "e164", "carrier", "label", "is_active"]


class DispositionSerializer(serializers.ModelSerializer[Disposition]):
    name = serializers.CharField(read_only=True, help_text="In the language of the request.")

    class Meta:
        model = Disposition
        fields = [
            "id",
            "code",
            "name",
            *(f"name_{code}" for code in _LANGUAGES),
            *(f"description_{code}" for code in _LANGUAGES),
            "is_success",
            "is_active",
            "position",
        ]
        extra_kwargs = {"name_en": {"required": True, "allow_blank": False, "allow_null": False}}


class LegSerializer(serializers.ModelSerializer[Leg]):
    from_number = PhoneField(read_only=True)
    to_number = PhoneField(read_only=True)

    class Meta:
        model = Leg
        fields = [
            "id",
            "party",
            "carrier",
            "carrier_call_id",
            "from_number",
            "to_number",
            "state",
            "outcome",
            "answered_by",
            "sip_code",
            "carrier_error",
            "requested_at",
            "ringing_at",
            "answered_at",
            "ended_at",
        ]
        read_only_fields = fields


class CallSerializer(serializers.ModelSerializer[Call]):
    phone = PhoneField(source="remote_phone", read_only=True)
    number = serializers.CharField(source="number.e164", read_only=True, help_text="Ours.")
    contact_name = serializers.CharField(source="contact.name", read_only=True, default="")
    virtual_agent = serializers.CharField(source="virtual_agent.name", read_only=True, default="")
    campaign_id = serializers.SerializerMethodField()
    campaign_name = serializers.SerializerMethodField()
    disposition = serializers.SlugRelatedField[Disposition](slug_field="code", read_only=True)
    talk_s = serializers.FloatField(read_only=True, help_text="Seconds from answer to end, or to now.")
    cost = serializers.DecimalField(
        source="total_cost", max_digits=12, decimal_places=6, read_only=True, help_text="USD so far."
    )
    legs = LegSerializer(many=True, read_only=True)

    class Meta:
        model = Call
        fields = [
            "id",
            "correlation_id",
            "direction",
            "phone",
            "number",
            "contact",
            "contact_name",
            "virtual_agent",
            "campaign_id",
            "campaign_name",
            "language",
            "outcome",
            "end_reason",
            "answer_verdict",
            "disposition",
            "disposition_note",
            "rule_version",
            "talk_s",
            "cost",
            "created_at",
            "answered_at",
            "ended_at",
            "legs",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_campaign_id(self, call: Call) -> Any:
        return call.brief.get("campaign_id")

    def get_campaign_name(self, call: Call) -> str:
        return str(call.brief.get("campaign_name") or "")


class TurnSerializer(serializers.ModelSerializer[Turn]):
    class Meta:
        model = Turn
        fields = ["id", "speaker", "text", "language", "started_ms", "ended_ms", "was_interrupted", "at"]
        read_only_fields = fields


class ReviewSerializer(serializers.ModelSerializer[CallReview]):
    """What a language model made of the call. qa_score: share of the checklist that was met, 0–1."""

    class Meta:
        model = CallReview
        fields = ["state", "summary", "fields", "sentiment", "qa", "qa_score", "llm", "done_at"]
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[CallEvent]):
    data = PrivateDataField(read_only=True)  # type: ignore[assignment]  # the model calls it so

    class Meta:
        model = CallEvent
        fields = ["id", "kind", "leg", "data", "at"]
        read_only_fields = fields


class CostSerializer(serializers.ModelSerializer[CostItem]):
    class Meta:
        model = CostItem
        fields = ["part", "service", "model", "quantity", "amount"]
        read_only_fields = fields


class CorrectionSerializer(serializers.Serializer[dict[str, str]]):
    disposition = serializers.SlugField(max_length=40, help_text="The code of one in use.")
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class EndSerializer(serializers.Serializer[dict[str, bool]]):
    is_ending = serializers.BooleanField(help_text="False: the call was over, or being ended, already.")
