"""What becomes of a text message, and what is written back: the persona of the number decides that too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from apps.sandbox.personas.catalogue import persona_for
from apps.sandbox.personas.lines import Language

Fate = Literal["delivered", "unreachable", "landline", "filtered", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class TextReply:
    """A message written back `after_s` seconds after the one before it."""

    text: str
    after_s: float = 3.0


@dataclass(frozen=True, slots=True)
class TextScript:
    """unreachable: the phone is off; landline: none that takes messages; filtered: never sent, as spam;
    unconfirmed: sent, and nothing more is heard of it."""

    fate: Fate = "delivered"
    replies: tuple[TextReply, ...] = ()


_FATES: Final[dict[str, Fate]] = {
    "failed": "unreachable",
    "fax": "landline",
    "rejects": "filtered",
    "no_answer": "unconfirmed",
}
_KEYWORDS: Final[dict[str, tuple[TextReply, ...]]] = {
    "opt_out": (TextReply("STOP"),),
    "robot_opt_out": (TextReply("Stop"), TextReply("START", after_s=6.0)),
    "curt": (TextReply("unsubscribe"),),
}
_TEXTS: Final[dict[str, dict[Language, str]]] = {
    "callback": {
        "en": "Please call me tomorrow at 3 pm.",
        "es": "Por favor, llámeme mañana a las tres.",
        "cs": "Zavolejte mi prosím zítra ve tři.",
    },
    "wants_human": {
        "en": "Can a real person call me, please?",
        "es": "¿Puede llamarme una persona, por favor?",
        "cs": "Může mi prosím zavolat živý člověk?",
    },
    "asks_who": {
        "en": "Who is this?",
        "es": "¿Quién es?",
        "cs": "Kdo píše?",
    },
    "wants_sms": {
        "en": "Thanks, that is what I needed.",
        "es": "Gracias, era lo que necesitaba.",
        "cs": "Díky, přesně to jsem potřeboval.",
    },
    "wants_information": {
        "en": "Got it, thank you!",
        "es": "¡Recibido, gracias!",
        "cs": "Dostala jsem to, děkuji!",
    },
}


def text_script(number: str) -> TextScript:
    """Who reads a message to `number` (E.164), by the same digits as who answers its phone."""
    script = persona_for(number)
    key = script.persona.key
    replies = _KEYWORDS.get(key, ())
    if key in _TEXTS:
        replies = (TextReply(_TEXTS[key][script.language]),)
    return TextScript(_FATES.get(key, "delivered"), replies)
