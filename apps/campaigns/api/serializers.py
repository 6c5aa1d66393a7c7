from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from apps.campaigns import reasons
from apps.campaigns.models import CallingWindow, Campaign, CampaignContact, CampaignEvent, RetryRule
from apps.campaigns.states import CampaignState
from apps.contacts.api.fields import PhoneField


class WindowSerializer(serializers.ModelSerializer[CallingWindow]):
    class Meta:
        model = CallingWindow
        fields = ["weekday", "starts_at", "ends_at"]

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["ends_at"] <= data["starts_at"]:
            raise serializers.ValidationError({"ends_at": [_("A window ends after it starts.")]})
        return data


class RetryRuleSerializer(serializers.ModelSerializer[RetryRule]):
    class Meta:
        model = RetryRule
        fields = ["outcome", "delay_s", "max_attempts"]


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """windows and retry_rules are given whole: what is not in the list is removed."""

    windows = WindowSerializer(many=True, required=False)
    retry_rules = RetryRuleSerializer(many=True, required=False)
    calls_per_second = serializers.DecimalField(
        max_digits=6, decimal_places=2, min_value=Decimal("0.01"), max_value=Decimal(500), required=False
    )

    class Meta:
        model = Campaign
        fields = [
            "id",
            "name",
            "state",
            "state_changed_at",
            "contact_list",
            "virtual_agent",
            "numbers",
            "max_concurrent",
            "calls_per_second",
            "ring_timeout_s",
            "is_recorded",
            "windows",
            "retry_rules",
            "started_at",
            "completed_at",
            "created_at",
        ]
        read_only_fields = ["state", "state_changed_at", "started_at", "completed_at"]

    def validate_contact_list(self, value: Any) -> Any:
        campaign = self.instance
        was_started = campaign is not None and campaign.state != CampaignState.DRAFT
        if campaign is not None and was_started and value != campaign.contact_list:
            raise serializers.ValidationError(_("The contact list of a campaign that was started stays."))
        return value

    def validate_retry_rules(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({rule["outcome"] for rule in value}) < len(value):
            raise serializers.ValidationError(_("There is a rule for this outcome already."))
        return value

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Campaign:
        parts = _take_parts(validated_data)
        campaign: Campaign = super().create(validated_data)
        _replace_parts(campaign, parts)
        return campaign

    @transaction.atomic
    def update(self, instance: Campaign, validated_data: dict[str, Any]) -> Campaign:
        parts = _take_parts(validated_data)
        campaign: Campaign = super().update(instance, validated_data)
        _replace_parts(campaign, parts)
        return campaign


def _take_parts(data: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {name: data.pop(name) for name in ("windows", "retry_rules") if name in data}


def _replace_parts(campaign: Campaign, parts: dict[str, list[dict[str, Any]]]) -> None:
    if "windows" in parts:
        campaign.windows.all().delete()
        CallingWindow.objects.bulk_create([CallingWindow(campaign=campaign, **row) for row in parts["windows"]])
    if "retry_rules" in parts:
        campaign.retry_rules.all().delete()
        RetryRule.objects.bulk_create([RetryRule(campaign=campaign, **row) for row in parts["retry_rules"]])
    if parts:
        # What a prefetch had read before is no longer true.
        campaign._prefetched_objects_cache = {}  # type: ignore[attr-defined]


class CountersSerializer(serializers.Serializer[Any]):
    """As the live page shows them; n_answered and n_success count people."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=CampaignState.choices)
    n_people = serializers.IntegerField()
    n_pending = serializers.IntegerField()
    n_dialling = serializers.IntegerField()
    n_retry = serializers.IntegerField()
    n_callback = serializers.IntegerField()
    n_done = serializers.IntegerField()
    n_blocked = serializers.IntegerField()
    n_answered = serializers.IntegerField()
    n_success = serializers.IntegerField()
    calls_per_second = serializers.FloatField()
    max_concurrent = serializers.IntegerField()
    carriers_down = serializers.ListField(child=serializers.CharField())
    carriers_instead = serializers.ListField(child=serializers.CharField())


class PersonSerializer(serializers.ModelSerializer[CampaignContact]):
    """Somebody's way through a campaign, with the one current reason why they are not being dialled."""

    name = serializers.CharField(source="contact.name", read_only=True)
    phone = PhoneField(source="contact.phone", read_only=True)
    reason_words = serializers.SerializerMethodField()

    class Meta:
        model = CampaignContact
        fields = [
            "id",
            "contact",
            "name",
            "phone",
            "state",
            "reason",
            "reason_words",
            "outcome",
            "n_attempts",
            "next_attempt_at",
            "settled_at",
        ]
        read_only_fields = fields

    def get_reason_words(self, person: CampaignContact) -> str:
        return str(reasons.words(person.reason))


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    words = serializers.CharField()
    passes = serializers.BooleanField(help_text="By itself: with time, or with another try.")
    n = serializers.IntegerField()


class HistorySerializer(serializers.ModelSerializer[CampaignEvent]):
    by = serializers.CharField(source="by.username", read_only=True, default="")

    class Meta:
        model = CampaignEvent
        fields = ["id", "kind", "by", "at", "data"]
        read_only_fields = fields
