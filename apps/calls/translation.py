"""Fields that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from apps.calls.models import Disposition, VirtualAgent


@register(VirtualAgent)
class VirtualAgentTranslation(TranslationOptions):
    fields = ("greeting", "instructions")
    required_languages = ("en",)


@register(Disposition)
class DispositionTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}
