from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from apps.calls.models import Number
from apps.contacts.api.fields import PhoneField
from apps.contacts.models import Contact
from apps.messaging.models import Message
from apps.messaging.services.sending import MAX_BODY


class MessageSerializer(serializers.ModelSerializer[Message]):
    phone = PhoneField(source="remote_phone", read_only=True)
    number = serializers.CharField(source="number.e164", read_only=True, default="", help_text="Ours.")
    contact_name = serializers.CharField(source="contact.name", read_only=True, default="")

    class Meta:
        model = Message
        fields = [
            "id",
            "direction",
            "channel",
            "phone",
            "number",
            "contact",
            "contact_name",
            "call",
            "campaign_id",
            "campaign_name",
            "body",
            "state",
            "reason",
            "keyword",
            "answers",
            "carrier",
            "carrier_message_id",
            "n_parts",
            "cost",
            "error_code",
            "error",
            "rule_version",
            "created_at",
            "sent_at",
            "finished_at",
        ]
        read_only_fields = fields


class SendSerializer(serializers.Serializer[dict[str, object]]):
    """To a contact, or to a number; the rules are asked either way."""

    contact = serializers.PrimaryKeyRelatedField(queryset=Contact.objects.all(), required=False, allow_null=True)
    to = PhoneField(required=False, help_text="A number as a person writes it, where there is no contact.")
    body = serializers.CharField(max_length=MAX_BODY)
    number = serializers.SlugRelatedField[Number](
        slug_field="e164",
        queryset=Number.objects.filter(is_active=True, can_text=True),
        required=False,
        allow_null=True,
        help_text="One of ours that can text; left out, the most fitting.",
    )
    key = serializers.CharField(
        required=False,
        max_length=80,
        help_text="Any word of your own. Sent again under the same one, the request gives the same message.",
    )

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if (attrs.get("contact") is None) == (attrs.get("to") is None):
            raise serializers.ValidationError(_("Name a contact or a number, one of them."))
        return attrs
