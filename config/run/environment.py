"""The environment that the product's processes get from `make run`, `make test` and `python -m config.run env`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from config.run import secrets_store
from config.run.layout import Layout
from config.run.problem import Problem
from config.run.services import Endpoints

_FALSE = {"0", "false", "no", "off"}
_TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True, slots=True)
class Switches:
    """What a person chose on the command line: `make run PORT=9000 SANDBOX=0`."""

    port: int
    media_port: int
    carrier_port: int
    ai_port: int
    ai_tls_port: int
    sandbox: bool
    demo: bool
    show_logs: bool

    @classmethod
    def from_environment(cls, given: Mapping[str, str]) -> "Switches":
        ai_port = _port(given, "SANDBOX_AI_PORT", 8011)
        return cls(
            port=_port(given, "PORT", 8000),
            media_port=_port(given, "MEDIA_PORT", 8001),
            carrier_port=_port(given, "SANDBOX_CARRIER_PORT", 8010),
            ai_port=ai_port,
            ai_tls_port=_port(given, "SANDBOX_AI_TLS_PORT", min(ai_port + 1, 65535)),
            sandbox=_switch(given, "SANDBOX", True),
            demo=_switch(given, "DEMO", True),
            show_logs=_switch(given, "LOGS", False),
        )

    def ports(self) -> dict[str, int]:
        """Variable → port, for every port that a run listens on."""
        ports = {"PORT": self.port, "MEDIA_PORT": self.media_port}
        if self.sandbox:
            ports |= {
                "SANDBOX_CARRIER_PORT": self.carrier_port,
                "SANDBOX_AI_PORT": self.ai_port,
                "SANDBOX_AI_TLS_PORT": self.ai_tls_port,
            }
        return ports


def application_environment(
    layout: Layout, switches: Switches, endpoints: Endpoints, *, settings: str, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Everything a process needs: what the person set, else what this run made.

    settings: the DJANGO_SETTINGS_MODULE where the person set none. given: the person's environment.
    """
    given = os.environ if given is None else given
    ours = {
        "DJANGO_SETTINGS_MODULE": settings,
        "VAR_DIR": str(layout.var),
        "BIND": "127.0.0.1",
        "PORT": str(switches.port),
        "MEDIA_PORT": str(switches.media_port),
        "PUBLIC_ORIGIN": f"http://127.0.0.1:{switches.port}",
        "PUBLIC_MEDIA_ORIGIN": f"ws://127.0.0.1:{switches.media_port}",
        "DEMO_LOGINS_FILE": str(layout.demo_logins),
        "PYTHONUNBUFFERED": "1",
    }
    if "PUBLIC_ORIGIN" in given and "PUBLIC_MEDIA_ORIGIN" not in given:
        del ours["PUBLIC_MEDIA_ORIGIN"]  # a public host has its own way to the media process
    ours |= {
        name: value
        for name, value in secrets_store.application_secrets(layout).items()
        if name.removesuffix("_FILE") not in given
    }
    environment = ours | dict(given) | endpoints.as_environment()
    if switches.sandbox:
        environment = _at_the_sandbox(environment, layout, switches, given)
    return environment


def _at_the_sandbox(
    environment: dict[str, str], layout: Layout, switches: Switches, given: Mapping[str, str]
) -> dict[str, str]:
    """Point each provider at the sandbox, with the sandbox's account, unless the person named its address.

    An account set for a real provider never goes to the sandbox, nor the sandbox's to a real one.
    """
    providers = addresses_of_providers(switches.carrier_port, switches.ai_port, switches.ai_tls_port)
    accounts = secrets_store.sandbox_secrets(layout)
    if given.get("SANDBOX_SPEED", "1") != "1":  # its people talk faster than a line in earnest may
        environment = {"MEDIA_BURST_S": "3600"} | environment
    environment = environment | {
        "SANDBOX_CARRIER_PORT": str(switches.carrier_port),
        "SANDBOX_AI_PORT": str(switches.ai_port),
        "SANDBOX_AI_TLS_PORT": str(switches.ai_tls_port),
        "SANDBOX_TELNYX_SIGNING_KEY_FILE": accounts["SANDBOX_TELNYX_SIGNING_KEY_FILE"],
        "SANDBOX_TLS_FILE": accounts["SANDBOX_TLS_FILE"],
        **what_numbers_call(environment["PUBLIC_ORIGIN"]),
    }
    for provider, bases in providers.items():
        if any(base in given for base in bases):
            continue
        for name in [name for name in environment if name.startswith(f"{provider}_")]:
            del environment[name]
        limits = {name: given[name] for limit in _LIMITS if (name := f"{provider}_{limit}") in given}
        environment |= bases | _HERE.get(provider, {}) | limits
        environment |= {name: path for name, path in accounts.items() if name.startswith(f"{provider}_")}
    return environment


# What a person may want to rehearse with.
_LIMITS = ("CALLS_PER_SECOND", "MAX_CONCURRENT")
# What an operator would set for the sandbox's accounts: they may place more than a new one in earnest, and webhooks
# come from this machine.
_HERE = {
    "TWILIO": {"TWILIO_CALLS_PER_SECOND": "200"},
    "TELNYX": {
        "TELNYX_CALLS_PER_SECOND": "200",
        "TELNYX_CONNECTION_ID": "1494404757140276705",
        "TELNYX_WEBHOOK_IPS": "127.0.0.1/32",
    },
}


def what_numbers_call(origin: str) -> dict[str, str]:
    """What an operator would enter at the carriers for the numbers: where calls and texts to them are announced."""
    hooks = f"{origin}/hooks"
    return {
        "SANDBOX_TWILIO_VOICE_URL": f"{hooks}/twilio/inbound",
        "SANDBOX_TWILIO_STATUS_URL": f"{hooks}/twilio/inbound-status",
        "SANDBOX_TWILIO_SMS_URL": f"{hooks}/twilio/texts/inbound",
        "SANDBOX_TELNYX_WEBHOOK_URL": f"{hooks}/telnyx/events",
        "SANDBOX_TELNYX_SMS_URL": f"{hooks}/telnyx/texts",
    }


def addresses_of_providers(carrier_port: int, ai_port: int, ai_tls_port: int) -> dict[str, dict[str, str]]:
    """Provider → the variables that say where it is, all of them on loopback. Gemini's SDK knows no plain WebSocket."""
    carrier, ai = f"http://127.0.0.1:{carrier_port}", f"127.0.0.1:{ai_port}"
    return {
        "TWILIO": {"TWILIO_API_BASE": carrier},
        "TELNYX": {"TELNYX_API_BASE": f"{carrier}/v2"},
        "OPENAI": {"OPENAI_BASE_URL": f"http://{ai}/v1", "OPENAI_REALTIME_BASE": f"ws://{ai}/v1"},
        "GEMINI": {"GEMINI_API_BASE": f"https://127.0.0.1:{ai_tls_port}"},
        "DEEPGRAM": {"DEEPGRAM_API_BASE": f"http://{ai}"},
    }


def _port(given: Mapping[str, str], name: str, default: int) -> int:
    raw = given.get(name) or str(default)
    if not raw.isdecimal() or not 0 < int(raw) < 65536:
        raise Problem(f"{name}={raw} is not a port number. Use one between 1024 and 65535.")
    return int(raw)


def _switch(given: Mapping[str, str], name: str, default: bool) -> bool:
    raw = given.get(name, "").strip().lower()
    if raw in _TRUE:
        return True
    if raw in _FALSE:
        return False
    if raw == "":
        return default
    raise Problem(f"{name}={raw} must be 1 or 0.")
