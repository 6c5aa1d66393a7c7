"""How each provider's adapter is made to talk to the sandbox: the contract suite runs against every one of them."""

import ssl
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from google.genai import Client
from google.genai.types import HttpOptions
from openai import AsyncOpenAI

from apps.calls.voice_ai.base import ToolSpec, VoiceAI, VoiceBrief
from apps.calls.voice_ai.capabilities import CAPABILITIES, usual_voice
from apps.calls.voice_ai.deepgram.assembly import Assembly
from apps.calls.voice_ai.deepgram.sockets import deepgram_client
from apps.calls.voice_ai.gemini_live import GeminiLive
from apps.calls.voice_ai.openai_realtime import OpenAIRealtime
from tests.sandbox.voice_ai.client import KEY

GEMINI_KEY = "AIzaSandboxTest"
DEEPGRAM_KEY = "5a4db0c5ae5d4e0c9c1d"
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
    clients: list[AsyncOpenAI] = field(default_factory=list)
    """To be closed with it: they keep their connections."""

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

    async def session(self) -> dict[str, Any]:
        """The only conversation there was; a pipeline's several sockets and its chat as one."""
        reports = await self.sessions()
        assert len({report["provider"] for report in reports}) == len(reports)
        told: dict[str, Any] = {}
        for report in sorted(reports, key=lambda report: report["provider"] == "openai/chat"):
            told |= {name: value for name, value in report.items() if value or name not in told}
        return told


def openai(host: Host, *, key: str = KEY, **options: Any) -> VoiceAI:
    base = f"127.0.0.1:{host.port}/v1"
    client = AsyncOpenAI(api_key=key, base_url=f"http://{base}", websocket_base_url=f"ws://{base}")
    return OpenAIRealtime(client, open_timeout_s=2.0, **options)


def gemini(host: Host, *, key: str = GEMINI_KEY, **options: Any) -> VoiceAI:
    return GeminiLive(gemini_client(host, key), open_timeout_s=2.0, **{"quiet_s": 0.1} | options)


def deepgram(host: Host, *, key: str = DEEPGRAM_KEY, **options: Any) -> VoiceAI:
    base = f"http://127.0.0.1:{host.port}"
    chat = AsyncOpenAI(api_key=KEY, base_url=f"{base}/v1", max_retries=0)
    host.clients.append(chat)
    assembly = Assembly(
        deepgram_client(api_key=key, api_base=base),
        openai_client=lambda: chat,
        gemini_client=lambda: gemini_client(host),
        **{"open_timeout_s": 2.0, "guard": lambda _service: nullcontext()} | options,
    )
    return assembly.conversation()


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


PROVIDERS = [_tested("openai", openai), _tested("gemini", gemini), _tested("deepgram", deepgram)]
"""Each with its usual model and voice."""
