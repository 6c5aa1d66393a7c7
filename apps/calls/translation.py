"""Fields that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from apps.calls.models import Disposition, TransferTarget, VirtualAgent, VoiceAIFallback


@register(VirtualAgent)
class VirtualAgentTranslation(TranslationOptions):
    fields = ("greeting", "instructions", "voice", "ai_disclosure", "recording_notice", "voicemail_message")
    required_languages = {"en": ("greeting", "instructions")}


@register(VoiceAIFallback)
class VoiceAIFallbackTranslation(TranslationOptions):
    fields = ("voice",)


@register(Disposition)
class DispositionTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}


@register(TransferTarget)
class TransferTargetTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}
