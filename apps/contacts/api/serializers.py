from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from apps.contacts.api.fields import PhoneField, PrivateDataField, PrivateEmailField
from apps.contacts.consent import REASONS, Verdict
from apps.contacts.models import Channel, Consent, Contact, ContactList, DncEntry, ZoneSource
from apps.core.phone import read_phone


class ContactListSerializer(serializers.ModelSerializer[ContactList]):
    n_contacts = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = ContactList
        fields = ["id", "name", "n_contacts", "created_at"]


class ContactSerializer(serializers.ModelSerializer[Contact]):
    """Country and, where it is not given, the time zone follow from the number."""

    phone = PhoneField()
    email = PrivateEmailField(required=False, allow_blank=True)
    custom_fields = PrivateDataField(source="fields", required=False)
    time_zone = serializers.CharField(max_length=64, required=False, help_text="IANA name; else from the number.")

    class Meta:
        model = Contact
        fields = [
            "id",
            "contact_list",
            "phone",
            "first_name",
            "last_name",
            "email",
            "language",
            "country",
            "time_zone",
            "zone_source",
            "custom_fields",
            "created_at",
        ]
        read_only_fields = ["country", "zone_source"]

    def validate_time_zone(self, value: str) -> str:
        if value not in available_timezones():
            raise serializers.ValidationError(_("This is not the name of a time zone, such as Europe/Prague."))
        return value

    def validate_custom_fields(self, value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise serializers.ValidationError(_("Names with texts are expected here."))
        return value

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "phone" in data:
            facts = read_phone(data["phone"], default_country=settings.DEFAULT_COUNTRY)
            if not facts.country:
                raise serializers.ValidationError({"phone": [_("The number belongs to no country.")]})
            data["country"] = facts.country
            if "time_zone" not in data:
                data["time_zone"] = facts.time_zone
                data["zone_source"] = ZoneSource.NUMBER if facts.zone_is_certain else ZoneSource.COUNTRY
        if data.get("time_zone") and "zone_source" not in data:
            data["zone_source"] = ZoneSource.GIVEN
        return data


class VerdictSerializer(serializers.Serializer[Verdict]):
    """May this person be contacted now, and if not, why and from when."""

    allowed = serializers.BooleanField()
    reason = serializers.CharField(help_text="A code; empty if allowed.")
    words = serializers.SerializerMethodField(help_text="The reason in words.")
    rule_version = serializers.CharField()
    next_allowed_at = serializers.DateTimeField(allow_null=True)

    def get_words(self, verdict: Verdict) -> str:
        return str(REASONS.get(verdict.reason, ""))


class DncSerializer(serializers.ModelSerializer[DncEntry]):
    phone = PhoneField(read_only=True)

    class Meta:
        model = DncEntry
        fields = ["id", "phone", "channel", "source", "note", "call_id", "created_at"]
        read_only_fields = fields


class OptOutSerializer(serializers.Serializer[dict[str, Any]]):
    phone = PhoneField()
    channels = serializers.MultipleChoiceField(choices=Channel.choices, allow_empty=False)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    phone = PhoneField()

    class Meta:
        model = Consent
        fields = ["id", "phone", "channel", "is_written", "source", "given_at", "withdrawn_at"]
        read_only_fields = ["withdrawn_at"]

    def validate_given_at(self, value: Any) -> Any:
        if value > timezone.now():
            raise serializers.ValidationError(_("A consent cannot have been given in the future."))
        return value
