"""POST /{version}/models/{model}:generateContent and :streamGenerateContent: text with tools, JSON by a schema, speech.

Text is answered by the dialogue brain; words in brackets are the client's directions, as on the live wire. A model
whose name ends in -tts speaks what it is given.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from ..brain import decide
from ..brief import language_of
from ..chat.messages import turns_of
from ..chat.structured import answer_to
from ..checks import Check, anything, boolean, listing, number, record, string
from ..desk import Desk, json_response
from ..faults import Fault
from ..g711 import pcm24k_of
from ..scene import Call, Reply, Say, Scene
from ..usage import Tokens, ai_audio_tokens, text_tokens
from .messages import CONTENT, SPEECH, TOOLS, Unusable, checked, functions_of, snake, text_of

PART: Final = "gemini/rest"
SPEECH_MIME: Final = "audio/L16;codec=pcm;rate=24000"
_THINKING_S: Final = 0.25
_PIECE_S: Final = 0.03
_WORDS: Final = 4
_STATUS: Final = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_GENERATION: Final[dict[str, Check]] = {
    "response_modalities": listing(string),
    "speech_config": SPEECH,
    "response_mime_type": string,
    "response_json_schema": anything,
    "response_schema": anything,
    "thinking_config": anything,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": number(1, 1000),
    "candidate_count": number(1, 1),
    "max_output_tokens": number(1, 1_000_000),
    "stop_sequences": listing(string),
    "seed": number(-(2**31), 2**31),
}
_REQUEST: Final = record(
    {
        "contents": listing(CONTENT),
        "system_instruction": CONTENT,
        "tools": TOOLS,
        "tool_config": anything,
        "safety_settings": anything,
        "generation_config": record(_GENERATION),
        "store": boolean,
    },
    "contents",
)


class ContentApi:
    def __init__(self, desk: Desk, knows: Callable[[web.Request], bool]) -> None:
        self._desk = desk
        self._knows = knows

    def routes(self) -> list[web.RouteDef]:
        return [web.post(r"/{version:v1|v1beta|v1alpha}/models/{call:[^/]+}", self._called)]

    async def _called(self, request: web.Request) -> web.StreamResponse:
        ordered = self._desk.faults.take("refuse", PART)
        if ordered is not None:
            return _ordered_refusal(ordered)
        if not self._knows(request):
            return refused(400, "API key not valid. Please pass a valid API key.")
        model, _, method = request.match_info["call"].partition(":")
        if method not in ("generateContent", "streamGenerateContent") or not _is_served(model):
            return refused(404, f"models/{model} is not found for this API version, or is not supported for {method}.")
        try:
            body = checked(_REQUEST, snake(orjson.loads(await request.read())), "")
        except orjson.JSONDecodeError:
            return refused(400, "Invalid JSON payload received.")
        except Unusable as unusable:
            return refused(400, unusable.reason)
        faults = {fault.kind: fault for fault in self._desk.faults.for_new_session(PART)}
        slow = faults.get("slow")
        late_s = slow.settings.get("delay_ms", 5000) / 1000 if slow is not None else 0.0
        await asyncio.sleep((_THINKING_S + late_s) / self._desk.world.speed)
        if "response_failed" in faults:
            return refused(500, "An internal error has occurred. Please retry or report in troubleshooting.")
        pieces = list(self._speech(body) if model.endswith("-tts") else self._text(body))
        head = {"modelVersion": model, "responseId": uuid4().hex[:22]}
        if method == "streamGenerateContent":
            return await self._stream(request, [head | piece for piece in pieces], faults)
        if "disconnect" in faults and request.transport is not None:
            request.transport.abort()
        if "garbage" in faults:
            return web.Response(body=b'{"candidates": [', content_type="application/json")
        return json_response(head | _whole(pieces))

    async def _stream(
        self, request: web.Request, pieces: Sequence[Mapping[str, Any]], faults: Mapping[str, Fault]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for n, piece in enumerate(pieces):
                await response.write(b"data: " + orjson.dumps(piece) + b"\r\n\r\n")
                if n == 0 and "stall" in faults:
                    await asyncio.sleep(3600)
                if n == 0 and "garbage" in faults:
                    await response.write(b'data: {"candidates": [\r\n\r\n')
                if n == 0 and "disconnect" in faults and request.transport is not None:
                    request.transport.abort()
                    break
                await asyncio.sleep(_PIECE_S / self._desk.world.speed)
        except ConnectionError:
            pass  # the client wants no more of it
        return response

    # What is answered

    def _text(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        prompt = Tokens(text_tokens(orjson.dumps([body["contents"], body.get("tools")]).decode()))
        form = body.get("generation_config", {})
        schema = form.get("response_json_schema") or form.get("response_schema")
        if schema:
            text = orjson.dumps(answer_to(schema, _messages(body), self._desk.lines_in)).decode()
            yield _piece([{"text": text}], prompt, Tokens(text_tokens(text)), is_last=True)
            return
        reply = self._decide(body)
        words = " ".join(part.text for part in reply if isinstance(part, Say)).split(" ")
        parts = [
            {"text": " ".join(words[at : at + _WORDS]) + (" " if at + _WORDS < len(words) else "")}
            for at in range(0, len(words), _WORDS)
            if words != [""]
        ]
        calls = [
            {"functionCall": {"id": f"call_{uuid4().hex[:12]}", "name": part.name, "args": part.arguments}}
            for part in reply
            if isinstance(part, Call)
        ]
        made: list[list[dict[str, Any]]] = [[part] for part in parts] + ([calls] if calls else [])
        output = Tokens()
        for n, one in enumerate(made or [[{"text": ""}]]):
            output += Tokens(text_tokens(orjson.dumps(one).decode()))
            yield _piece(one, prompt, output, is_last=n >= len(made) - 1)

    def _decide(self, body: Mapping[str, Any]) -> Reply:
        world = self._desk.world
        return decide(
            Scene(
                instructions=text_of(body.get("system_instruction")),
                tools=functions_of(body.get("tools", [])),
                history=turns_of(_messages(body), world.line_of),
                now=world.now(),
            )
        )

    def _speech(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        text = " ".join(text_of(content) for content in body["contents"]).strip()
        pcm = pcm24k_of(self._desk.world.synthesise(text, language_of(text, "cs"), "b"))
        prompt = Tokens(text_tokens(text))
        step = 48 * 400
        for at in range(0, len(pcm), step):
            data = base64.b64encode(pcm[at : at + step]).decode()
            done = min(len(pcm), at + step)
            output = Tokens(0, ai_audio_tokens(done / 48))
            yield _piece(
                [{"inlineData": {"mimeType": SPEECH_MIME, "data": data}}], prompt, output, is_last=done == len(pcm)
            )


def _is_served(model: str) -> bool:
    return model.startswith("gemini-") and "-live" not in model


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contents as chat messages, which the brain's reading of a conversation starts from."""
    messages: list[dict[str, Any]] = []
    waiting: list[tuple[str, str]] = []
    for content in body["contents"]:
        for part in content["parts"]:
            if "function_call" in part:
                call = part["function_call"]
                call_id = call.get("id") or f"call_{len(messages)}"
                waiting.append((call_id, call["name"]))
                function = {"name": call["name"], "arguments": orjson.dumps(call.get("args") or {}).decode()}
                messages.append({"role": "assistant", "tool_calls": [{"id": call_id, "function": function}]})
            elif "function_response" in part:
                messages.append(_result(part["function_response"], waiting))
            elif text := part.get("text", "").strip():
                is_direction = text.startswith("[") and text.endswith("]")
                role = "assistant" if content.get("role") == "model" else "system" if is_direction else "user"
                messages.append({"role": role, "content": text[1:-1] if role == "system" else text})
    # The first system message of a chat is its instructions; here those stand apart.
    return [{"role": "system", "content": ""}, *messages]


def _result(response: Mapping[str, Any], waiting: list[tuple[str, str]]) -> dict[str, Any]:
    known = next((one for one in waiting if response.get("id") in (None, one[0]) and one[1] == response["name"]), None)
    if known is not None:
        waiting.remove(known)
    answer = response["response"]
    output = next((answer[key] for key in ("result", "output", "error") if isinstance(answer.get(key), str)), None)
    content = output if output is not None else orjson.dumps(answer).decode()
    return {"role": "tool", "tool_call_id": known[0] if known else response.get("id", ""), "content": content}


def _piece(parts: list[dict[str, Any]], prompt: Tokens, output: Tokens, *, is_last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if is_last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": prompt.total,
            "candidatesTokenCount": output.total,
            "totalTokenCount": prompt.total + output.total,
        },
    }


def _whole(pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All pieces as one answer: texts joined, sound joined, calls kept apart."""
    parts: list[dict[str, Any]] = []
    for piece in pieces:
        for part in piece["candidates"][0]["content"]["parts"]:
            if parts and "text" in part and "text" in parts[-1]:
                parts[-1] = {"text": parts[-1]["text"] + part["text"]}
            elif parts and "inlineData" in part:
                sound = base64.b64decode(parts[-1]["inlineData"]["data"]) + base64.b64decode(part["inlineData"]["data"])
                parts[-1] = {"inlineData": {"mimeType": SPEECH_MIME, "data": base64.b64encode(sound).decode()}}
            else:
                parts.append(part)
    last = pieces[-1]
    candidate = last["candidates"][0] | {"content": {"role": "model", "parts": parts}}
    return dict(last) | {"candidates": [candidate]}


def refused(status: int, message: str) -> web.Response:
    name = _STATUS.get(status, "UNAVAILABLE" if status == 503 else "INTERNAL")
    return json_response({"error": {"code": status, "message": message, "status": name}}, status=status)


def _ordered_refusal(fault: Fault) -> web.Response:
    response = refused(int(fault.settings.get("status", 503)), "The request was refused.")
    if "retry_after_s" in fault.settings:
        response.headers["Retry-After"] = str(fault.settings["retry_after_s"])
    return response
