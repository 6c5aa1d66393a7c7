"""JSON logs with one correlation id from API or webhook through task and media session. No Django here.

``log = structlog.get_logger(__name__)`` and ``log.info("leg_answered", leg_id=leg.pk)``: past-tense event, facts as
keys. Whatever a record carries, phone numbers, e-mail addresses and secrets leave it masked.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog

# What travels from a request into the tasks it starts.
CARRIED = ("request_id", "call_id", "campaign_id")
_SECRET_KEY = re.compile(
    r"token|authorization|password|passwd|secret|api_?key|signing_?key|cookie|credential|signature|session_?key",
    re.IGNORECASE,
)
_HIDDEN = "[hidden]"
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*")
_BEARER = re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_API_KEY = re.compile(r"\b(?:sk|pk|rk|key)[-_][A-Za-z0-9_-]{8,}|\bKEY[0-9A-F]{16,}\w*")
_URL_PASSWORD = re.compile(r"(\w[\w+.-]*://[^\s:/@]*):[^\s/@]+@")
# The last part of a webhook's or a media socket's address opens it.
_HOOK_TOKEN = re.compile(r"(/(?:hooks|media)/(?:[\w-]+/)+)[\w-]{20,}")
_EMAIL = re.compile(r"\b([\w.+-])[\w.+-]*@([\w-]+(?:\.[\w-]+)+)")
# With a plus, or its form in addresses; grouped as people write them, or in one piece.
_PHONE = re.compile(r"(?:\+|%2B)[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\d)")


def mask_text(text: str) -> str:
    """The text with phone numbers, e-mail addresses and secrets made unreadable."""
    if "eyJ" in text:
        text = _JWT.sub(_HIDDEN, text)
    text = _BEARER.sub(rf"\1 {_HIDDEN}", text)
    text = _API_KEY.sub(_HIDDEN, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", text)
    if "/hooks/" in text or "/media/" in text:
        text = _HOOK_TOKEN.sub(rf"\1{_HIDDEN}", text)
    if "@" in text:
        text = _EMAIL.sub(r"\1…@\2", text)
    if "+" in text or "%2B" in text:
        text = _PHONE.sub(_mask_phone, text)
    return text


def _mask_phone(match: re.Match[str]) -> str:
    digits = "".join(character for character in match.group().removeprefix("%2B") if character.isdigit())
    return f"+{digits[:2]}{'•' * (len(digits) - 4)}{digits[-2:]}"


def mask_value(value: Any) -> Any:
    """The same for whatever a log record may hold; containers are copied, numbers and the like stay."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _HIDDEN if _is_secret(key, item) else mask_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask_text(str(value))


def _is_secret(key: object, value: object) -> bool:
    # Counts and flags ("n_tokens", "has_password") tell nothing.
    return isinstance(key, str) and not isinstance(value, bool | int | float | None) and bool(_SECRET_KEY.search(key))


def mask_event(logger: Any, name: str, event: Any) -> Any:
    """structlog's last processor before the line is written."""
    return mask_value(event)


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_config(*, level: str) -> dict[str, Any]:
    """A dictConfig that sends structlog's and everybody else's records to stdout as one JSON line each."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    mask_event,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Django adds handlers of its own; ours takes everything.
            "django": {"handlers": [], "level": level, "propagate": True},
            # What they say of each request, our own line says better (core.middleware).
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.channels.server": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            # A wrong password is told once, by accounts.
            "axes": {"level": "ERROR"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "twilio": {"level": "WARNING"},
            # At DEBUG they tell whole requests, phone numbers and all.
            "telnyx": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "websockets": {"level": "WARNING"},
        },
    }
