"""How each provider's adapter is made to talk to the sandbox: the contract suite runs against every one of them."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from google.genai import Client
from google.genai.types import HttpOptions
from openai import AsyncOpenAI

from apps.calls.voice_ai.base import ToolSpec, VoiceAI, VoiceBrief
from apps.calls.voice_ai.capabilities import CAPABILITIES, usual_voice
from apps.calls.voice_ai.gemini_live import GeminiLive
from apps.calls.voice_ai.openai_realtime import OpenAIRealtime
from tests.sandbox.voice_ai.client import KEY

GEMINI_KEY = "AIzaSandboxTest"
_ANYTHING = {"type": "object", "properties": {}}
BRIEF = VoiceBrief(
    model="",
    voice="",
    instructions=(
        "Company: Northwind\nYou are: Ada\nLanguage: en\nNow: 2026-11-22T10:00\nGreeting: Hello, this is Ada.\n"
        "Purpose: a new electricity tariff"
    ),
    language="en",
    languages=["en", "es", "cs"],
    tools=[
        ToolSpec("opt_out", "Never call again.", _ANYTHING),
        ToolSpec(
            "set_disposition",
            "Note what the call came to.",
            {
                "type": "object",
                "properties": {"code": {"type": "string", "enum": ["interested", "not_interested", "do_not_call"]}},
                "required": ["code"],
            },
        ),
        ToolSpec("end_call", "Hang up.", _ANYTHING),
    ],
    caller_id="pseudonym",
)


@dataclass(frozen=True)
class Host:
    """The sandbox of a test: all providers at one plain and one encrypted port. tls: trusts it."""

    port: int
    tls_port: int
    tls: ssl.SSLContext

    async def order(self, kind: str, **settings: Any) -> None:
        """Trouble, for the next session unless the settings say otherwise."""
        address = f"http://127.0.0.1:{self.port}/_sandbox/faults"
        async with aiohttp.ClientSession() as http, http.post(address, json={"kind": kind, **settings}) as answer:
            assert answer.status < 300, await answer.text()

    async def sessions(self) -> list[dict[str, Any]]:
        """Newest first."""
        address = f"http://127.0.0.1:{self.port}/_sandbox/sessions"
        async with aiohttp.ClientSession() as http, http.get(address) as answer:
            return (await answer.json())["sessions"]


def openai(host: Host, *, key: str = KEY, **options: Any) -> VoiceAI:
    base = f"127.0.0.1:{host.port}/v1"
    client = AsyncOpenAI(api_key=key, base_url=f"http://{base}", websocket_base_url=f"ws://{base}")
    return OpenAIRealtime(client, open_timeout_s=2.0, **options)


def gemini(host: Host, *, key: str = GEMINI_KEY, **options: Any) -> VoiceAI:
    return GeminiLive(gemini_client(host, key), open_timeout_s=2.0, **{"quiet_s": 0.1} | options)


def gemini_client(host: Host, key: str = GEMINI_KEY) -> Client:
    http = HttpOptions(
        base_url=f"https://127.0.0.1:{host.tls_port}",
        api_version="v1beta",
        client_args={"verify": host.tls},
        async_client_args={"verify": host.tls, "ssl": host.tls},
    )
    return Client(enterprise=False, api_key=key, http_options=http)


@dataclass(frozen=True)
class Candidate:
    """make: an adapter that is not open yet."""

    name: str
    make: Callable[..., VoiceAI]
    brief: VoiceBrief

    def __str__(self) -> str:
        return self.name


def _tested(name: str, make: Callable[..., VoiceAI], **brief: Any) -> Candidate:
    usual = {"model": CAPABILITIES[name].models[0], "voice": usual_voice(name, "en")}
    return Candidate(name, make, replace(BRIEF, **usual | brief))


PROVIDERS = [_tested("openai", openai), _tested("gemini", gemini)]
"""Each with its usual model and voice."""
