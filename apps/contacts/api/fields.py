"""Fields that show each reader what they may see."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.privacy import data_for, email_for, phone_for
from apps.core.phone import BadPhoneNumber, read_phone


class PhoneField(serializers.CharField):
    """In: a number as a person writes it. Out: E.164, masked for readers who may not see it."""

    default_error_messages = {
        "empty": _("A phone number is needed."),
        "not_a_number": _("This is not a phone number."),
        "impossible": _("No such number can exist."),
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        kwargs.setdefault("help_text", "E.164 (+12025550123); masked for readers without the right to see it.")
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        try:
            return read_phone(super().to_internal_value(data), default_country=settings.DEFAULT_COUNTRY).e164
        except BadPhoneNumber as error:
            self.fail(error.reason)

    def to_representation(self, value: str) -> str:
        return phone_for(_reader(self), value)


class PrivateEmailField(serializers.EmailField):
    """Out: "" for readers who may not see it."""

    def to_representation(self, value: str) -> str:
        return email_for(_reader(self), value)


@extend_schema_field({"type": "object", "additionalProperties": True})
class PrivateDataField(serializers.JSONField):
    """Free-form data; numbers and addresses in it are masked for readers who may not see them."""

    def to_representation(self, value: Any) -> Any:
        return data_for(_reader(self), value)


def _reader(field: serializers.Field[Any, Any, Any, Any]) -> Any:
    return field.context["request"].user
