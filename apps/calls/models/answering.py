"""What a virtual agent says first, and what it does about whoever picks up."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AnswerVerdict(models.TextChoices):
    """Who picked up. The same words as bridge.answering.Verdict."""

    HUMAN = "human", _("a person")
    VOICEMAIL = "voicemail", _("voicemail")
    SCREENER = "screener", _("a call screener")
    IVR = "ivr", _("a recorded menu")
    SILENCE = "silence", _("silence")
    UNKNOWN = "unknown", _("not known")


class VoicemailAction(models.TextChoices):
    LEAVE_MESSAGE = "leave_message", _("leave the message after the beep")
    HANG_UP = "hang_up", _("hang up")


class ScreenerAction(models.TextChoices):
    ANSWER = "answer", _("say in one sentence who calls and why")
    HANG_UP = "hang_up", _("hang up")


class TalkAction(models.TextChoices):
    TALK = "talk", _("talk")
    HANG_UP = "hang_up", _("hang up")


class AnsweringPolicy(models.Model):
    """Texts exist per language (modeltranslation). An empty disclosure is our own where the rules demand one."""

    ai_disclosure = models.CharField(
        _("says that it is an AI"),
        max_length=300,
        blank=True,
        help_text=_(
            "Said at the start; or where {disclosure} stands in the greeting. Left empty, a sentence of ours is said "
            "where the rules of the person's country demand one, as they do nearly everywhere."
        ),
    )
    recording_notice = models.CharField(
        _("says that it records"),
        max_length=300,
        blank=True,
        help_text=_(
            "Said at the start of recorded calls; or where {recording} stands in the greeting. Left empty, a sentence "
            "of ours is said where the rules of the person's country demand one."
        ),
    )
    voicemail_message = models.TextField(
        _("message after the beep"),
        blank=True,
        help_text=_("Say nothing that only the person should hear. Left empty, the AI finds its own two sentences."),
    )
    on_voicemail = models.CharField(
        _("voicemail"), max_length=16, choices=VoicemailAction.choices, default=VoicemailAction.LEAVE_MESSAGE
    )
    on_screener = models.CharField(
        _("call screener"), max_length=16, choices=ScreenerAction.choices, default=ScreenerAction.ANSWER
    )
    on_ivr = models.CharField(_("recorded menu"), max_length=16, choices=TalkAction.choices, default=TalkAction.TALK)
    on_silence = models.CharField(_("silence"), max_length=16, choices=TalkAction.choices, default=TalkAction.TALK)
    changes_language = models.BooleanField(
        _("follows the caller's language"),
        default=True,
        help_text=_("Goes on in the language the person answers in, if it is one of ours."),
    )

    class Meta:
        abstract = True
