"""Settings of the sandbox carrier: from the command line, else from the environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from apps.sandbox.carrier.fields import BadRequest
from apps.sandbox.carrier.numbers import DEFAULT, OwnNumber
from apps.sandbox.carrier.records import Carrier
from apps.sandbox.carrier.telnyx.signing import load_key


class ConfigError(ValueError):
    """A setting is missing or unusable; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class TelnyxConfig:
    """The Telnyx account. signing_key: Ed25519, PEM; the product has its public half."""

    api_key: str = field(repr=False)
    signing_key: str = field(repr=False)


# What every number of the product calls unless it was set up by itself: its setting, by carrier, and the variable.
_DEFAULTS: Final[dict[Carrier, dict[str, str]]] = {
    "twilio": {
        "voice_url": "SANDBOX_TWILIO_VOICE_URL",
        "status_callback": "SANDBOX_TWILIO_STATUS_URL",
        "sms_url": "SANDBOX_TWILIO_SMS_URL",
    },
    "telnyx": {
        "webhook_url": "SANDBOX_TELNYX_WEBHOOK_URL",
        "sms_webhook_url": "SANDBOX_TELNYX_SMS_URL",
        "connection_id": "TELNYX_CONNECTION_ID",
    },
}


@dataclass(frozen=True, slots=True)
class CarrierConfig:
    """What the carrier is told at its start.

    cps: calls dialled per second of sandbox time. speed: sandbox seconds per real second.
    owned_numbers: From numbers accepted (E.164); empty accepts any. telnyx: None leaves that carrier out.
    numbers: how the product's numbers are set up.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8090
    cps: float = 1.0
    speed: float = 1.0
    owned_numbers: frozenset[str] = frozenset()
    telnyx: TelnyxConfig | None = None
    numbers: tuple[OwnNumber, ...] = ()


def _secret(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    if path := environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE cannot be read: {error}") from error
    return ""


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def load_config(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> CarrierConfig:
    """Raises ConfigError if credentials are missing; a bad option ends the process as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m apps.sandbox.carrier", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--account-sid", help="default: TWILIO_ACCOUNT_SID")
    parser.add_argument("--auth-token", help="default: TWILIO_AUTH_TOKEN; the environment keeps it out of `ps`")
    parser.add_argument("--cps", type=_positive, default=1.0, help="calls dialled per second, default 1 as at Twilio")
    parser.add_argument("--speed", type=_positive, default=_speed(environ), help="default: SANDBOX_SPEED or 1")
    parser.add_argument("--number", action="append", default=[], help="a From number owned; repeatable; none: any")
    args = parser.parse_args(argv)
    sid = args.account_sid or _secret(environ, "TWILIO_ACCOUNT_SID")
    token = args.auth_token or _secret(environ, "TWILIO_AUTH_TOKEN")
    if not sid or not token:
        raise ConfigError("set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_AUTH_TOKEN_FILE)")
    return CarrierConfig(
        account_sid=sid,
        auth_token=token,
        host=args.host,
        port=args.port,
        cps=args.cps,
        speed=args.speed,
        owned_numbers=frozenset(args.number),
        telnyx=_telnyx(environ),
        numbers=_numbers(environ),
    )


def _numbers(environ: Mapping[str, str]) -> tuple[OwnNumber, ...]:
    numbers = []
    for carrier, variables in _DEFAULTS.items():
        given = {setting: environ[name] for setting, name in variables.items() if environ.get(name)}
        try:
            numbers.append(OwnNumber(DEFAULT, carrier).changed(given))
        except BadRequest as error:
            raise ConfigError(f"of {', '.join(variables.values())}: {error}") from error
    return tuple(numbers)


def _telnyx(environ: Mapping[str, str]) -> TelnyxConfig | None:
    api_key, signing_key = _secret(environ, "TELNYX_API_KEY"), _secret(environ, "SANDBOX_TELNYX_SIGNING_KEY")
    if not api_key or not signing_key:
        return None
    try:
        load_key(signing_key)
    except ValueError as error:
        raise ConfigError(f"SANDBOX_TELNYX_SIGNING_KEY must be an Ed25519 private key in PEM: {error}") from error
    return TelnyxConfig(api_key, signing_key)


def _speed(environ: Mapping[str, str]) -> float:
    text = environ.get("SANDBOX_SPEED") or "1"
    try:
        return _positive(text)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise ConfigError(f"SANDBOX_SPEED is {text!r}: it must be a number above 0") from error
