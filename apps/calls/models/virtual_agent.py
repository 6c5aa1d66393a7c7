"""A configured AI that holds conversations."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models.answering import AnsweringPolicy
from apps.calls.models.http_tool import HttpTool
from apps.calls.models.review_policy import ReviewPolicy
from apps.calls.models.tool import all_tools as all_tools  # the first migration names it here
from apps.calls.models.tool import usual_tools
from apps.calls.models.transfer_target import TransferTarget


class Provider(models.TextChoices):
    OPENAI = "openai", "OpenAI Realtime"
    GEMINI = "gemini", "Gemini Live"
    DEEPGRAM = "deepgram", "Deepgram"


class Recorder(models.TextChoices):
    """The same words as models.recording.RecordingSource."""

    BRIDGE = "bridge", _("we")
    CARRIER = "carrier", _("the carrier")


class VoiceAIChoice(models.Model):
    """A provider and how it is used. Left empty, model and voice are the provider's usual ones.

    llm and speech: for Deepgram only, ``service:model``; speech is who speaks what Deepgram has no voice for.
    """

    provider = models.CharField(_("provider"), max_length=16, choices=Provider.choices, default=Provider.OPENAI)
    model = models.CharField(_("model"), max_length=80, blank=True)
    voice = models.CharField(_("voice"), max_length=80, blank=True)
    llm = models.CharField(
        _("language model"),
        max_length=80,
        blank=True,
        help_text=_("Where the provider only listens and speaks: who thinks, for example openai:gpt-6-luna."),
    )
    speech = models.CharField(
        _("second voice"),
        max_length=80,
        blank=True,
        help_text=_(
            "Who speaks the languages the provider has no voice for, for example gemini:gemini-3.8-flash-lite-tts."
        ),
    )

    class Meta:
        abstract = True


class VirtualAgent(VoiceAIChoice, AnsweringPolicy, ReviewPolicy):  # type: ignore[django-manager-missing]  # modeltranslation makes it at run time
    """Who speaks, how, and what they may do. Greeting and instructions exist per language (modeltranslation)."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    speaks_as = models.CharField(
        _("speaks as"), max_length=80, help_text=_("The name the AI introduces itself with, for example Ada.")
    )
    company = models.CharField(_("company"), max_length=120, help_text=_("On whose behalf it calls."))
    greeting = models.TextField(
        _("greeting"),
        help_text=_(
            "First sentence. {first_name}, {agent} and {company} are filled in; {disclosure} and {recording} say where "
            "the AI says that it is one, and that the call is recorded."
        ),
    )
    instructions = models.TextField(_("instructions"), help_text=_("What to achieve, how to speak, what never to say."))
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language.choices,
        default=Language.ENGLISH,
        help_text=_("Spoken when the contact's own language is not known."),
    )
    tools = models.JSONField(_("tools"), default=usual_tools, blank=True, help_text=_("What it may do during a call."))
    transfer_targets = models.ManyToManyField(
        TransferTarget,
        verbose_name=_("transfer targets"),
        related_name="virtual_agents",
        blank=True,
        help_text=_("To whom it may give a call: these and nobody else."),
    )
    transfer_prefixes = models.JSONField(
        _("further numbers"),
        default=list,
        blank=True,
        help_text=_(
            "Beginnings of numbers it may connect a call to although they are no target, for example +420222. "
            "Callers can talk an AI into dialling: leave it empty unless you need it."
        ),
    )
    http_tools: "models.ManyToManyField[HttpTool, Any]" = models.ManyToManyField(
        HttpTool,
        verbose_name=_("HTTP tools"),
        related_name="virtual_agents",
        blank=True,
        help_text=_("Services of your own that it may ask."),
    )
    last_resort_target = models.ForeignKey(
        TransferTarget,
        on_delete=models.SET_NULL,
        verbose_name=_("when the AI fails"),
        related_name="+",
        null=True,
        blank=True,
        help_text=_("Who takes the call when no voice AI can go on with it."),
    )
    is_recorded = models.BooleanField(
        _("record calls"),
        default=True,
        help_text=_("Where the rules of a country ask for it, the opening says so; who refuses is not recorded."),
    )
    recorded_by = models.CharField(
        _("who records"),
        max_length=8,
        choices=Recorder.choices,
        default=Recorder.BRIDGE,
        help_text=_(
            "We: the person left, the AI right, into your own storage. The carrier: begun, paused and stopped by our "
            "command, a second or so later, and fetched after the call; what it keeps itself, its own settings say."
        ),
    )
    is_active = models.BooleanField(_("in use"), default=True)

    objects: ClassVar[models.Manager["VirtualAgent"]] = models.Manager()

    class Meta:
        verbose_name = _("virtual agent")
        verbose_name_plural = _("virtual agents")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class VoiceAIFallback(VoiceAIChoice):
    """Who takes the conversation over when the provider before it has failed, in this order."""

    virtual_agent = models.ForeignKey(VirtualAgent, on_delete=models.CASCADE, related_name="fallbacks")
    position = models.PositiveSmallIntegerField(_("position"), default=1)

    objects: ClassVar[models.Manager["VoiceAIFallback"]] = models.Manager()

    class Meta:
        verbose_name = _("fallback voice AI")
        verbose_name_plural = _("fallback voice AIs")
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.get_provider_display()
