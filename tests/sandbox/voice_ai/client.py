"""A caller on the official SDK: what the product's end of the wire does, in a few lines."""

import asyncio
import base64
import json
from functools import cache
from typing import Any, get_args

from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from apps.sandbox.personas import all_lines
from apps.sandbox.speech import synthesise
from apps.sandbox.voice_ai.hearing import Line

KEY = "sk-sandbox-test"
SILENCE = b"\xff" * 160
UNDOCUMENTED = {"session.capabilities.updated", "response.output_emotion.delta"}

TOOLS = [
    {
        "type": "function",
        "name": "set_disposition",
        "description": "Note what the call came to.",
        "parameters": {
            "type": "object",
            "properties": {
                "code": {
                    "type": "string",
                    "enum": [
                        *("interested", "not_interested", "do_not_call", "callback", "wrong_person", "voicemail"),
                        *("no_response", "other"),
                    ],
                },
                "note": {"type": "string"},
            },
            "required": ["code"],
        },
    },
    {"type": "function", "name": "opt_out", "parameters": {"type": "object", "properties": {}}},
    {
        "type": "function",
        "name": "schedule_callback",
        "parameters": {
            "type": "object",
            "properties": {"at": {"type": "string", "description": "Local time of the contact, ISO 8601"}},
            "required": ["at"],
        },
    },
    {"type": "function", "name": "end_call", "parameters": {"type": "object", "properties": {}}},
]
HANDOVER = {"type": "function", "name": "hand_over", "parameters": {"type": "object", "properties": {}}}
INSTRUCTIONS = "Company: Northwind\nAgent: Ada\nPurpose: a new electricity tariff\nNow: 2026-11-22T10:00+01:00\n"
SESSION: dict[str, Any] = {
    "type": "realtime",
    "instructions": INSTRUCTIONS,
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "gpt-transcribe", "languages": ["en", "es", "cs"]},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500, "idle_timeout_ms": 5000},
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
    },
    "tools": TOOLS,
}

_CLASSES = {}
for _one in get_args(get_args(RealtimeServerEvent)[0]):
    for _name in get_args(_one.model_fields["type"].annotation):
        _CLASSES[_name] = TypeAdapter(_one)


@cache
def line(intent: str, language: str = "en", number: int = 0) -> Line:
    """The n-th phrasing of what a persona says with that intent."""
    found = [one for one in all_lines() if (one.intent, one.language) == (intent, language)][number]
    return Line(found.language, found.text, found.intent)


def clip(intent: str, language: str = "en", number: int = 0) -> bytes:
    one = line(intent, language, number)
    return synthesise(one.text, one.language, "a")


def silence(ms: int) -> bytes:
    return SILENCE * (ms // 20)


class Caller:
    """One session. Keeps every event, each checked against the SDK's own type for it."""

    def __init__(self, connection: Any) -> None:
        self.wire = connection
        self.events: list[dict[str, Any]] = []

    async def next_event(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            event: dict[str, Any] = json.loads(await self.wire.recv_bytes())
        if event["type"] not in UNDOCUMENTED:
            parsed = _CLASSES[event["type"]].validate_python(event)
            assert parsed.type == event["type"]
            assert parsed.event_id
        self.events.append(event)
        return event

    async def until(self, type_: str) -> dict[str, Any]:
        while (event := await self.next_event())["type"] != type_:
            assert event["type"] != "error" or type_ == "error", event
        return event

    async def configure(self, **changes: Any) -> dict[str, Any]:
        await self.wire.session.update(session={**SESSION, **changes})
        session: dict[str, Any] = (await self.until("session.updated"))["session"]
        return session

    async def play(self, audio: bytes, step: int = 1600) -> None:
        for at in range(0, len(audio), step):
            await self.wire.input_audio_buffer.append(audio=base64.b64encode(audio[at : at + step]).decode())

    async def say(self, intent: str, language: str = "en", number: int = 0) -> None:
        await self.play(clip(intent, language, number) + silence(600))

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def all(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type_]

    def spoken(self) -> list[str]:
        return [event["transcript"] for event in self.all("response.output_audio_transcript.done")]

    async def answer_tools(self, done: dict[str, Any], outputs: dict[str, str] | None = None) -> list[str]:
        """Answers the calls of a response.done as the product does; returns their names."""
        calls = [item for item in done["response"]["output"] if item["type"] == "function_call"]
        for call in calls:
            output = (outputs or {}).get(call["name"], '{"ok": true}')
            item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
            await self.wire.conversation.item.create(item=item)
        if calls and "end_call" not in [call["name"] for call in calls]:
            await self.wire.response.create()
        return [call["name"] for call in calls]

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (event["name"], json.loads(event["arguments"]))
            for event in self.all("response.function_call_arguments.done")
        ]


def client(port: int, key: str = KEY) -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key=key, websocket_base_url=f"ws://127.0.0.1:{port}/v1", base_url=f"http://127.0.0.1:{port}/v1"
    )
