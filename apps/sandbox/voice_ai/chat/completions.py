"""POST /v1/chat/completions: one answer, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from ..brain import decide
from ..checks import Refused, missing, wrong_type
from ..desk import Desk, error, json_response
from ..faults import Fault
from ..scene import Call, Say, Scene
from ..usage import text_tokens
from .messages import flat_tools, instructions_of, text_of, turns_of
from .record import ChatRecord, ChatRecords
from .structured import answer_to

CHAT: Final = "openai/chat"
MODELS: Final = ("gpt-6-luna", "gpt-6-sol", "gpt-5.6-terra", "gpt-5.6-mini")
_NO_EFFORT: Final = ("gpt-6", "gpt-5.6")  # these take tools only without reasoning
_ROLES: Final = frozenset({"developer", "system", "user", "assistant", "tool"})
_THINKING_S: Final = 0.25
_PIECE_S: Final = 0.02
_ARGUMENT_PIECES: Final = 3
_LARGEST_BODY: Final = 4 * 2**20
_REFUSALS: Final[dict[int, tuple[str, str, str]]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", "server_error", "The server had an error while processing your request."),
    503: ("service_unavailable", "service_unavailable", "The service is temporarily unavailable."),
}


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    calls: Sequence[Call]

    @property
    def reason(self) -> str:
        return "tool_calls" if self.calls else "stop"


class ChatCompletions:
    def __init__(self, desk: Desk, api_key: str) -> None:
        self._desk = desk
        self._api_key = api_key
        self._records = ChatRecords()
        desk.conversations.append(self._records.reports)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/chat/completions", self._create)]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        ordered = self._desk.faults.take("refuse", CHAT)
        if ordered is not None:
            return _refused(ordered)
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            return error(401, *_REFUSALS[401])
        try:
            body = _checked(orjson.loads(await request.read()))
        except orjson.JSONDecodeError:
            return error(400, "invalid_request_error", "invalid_json", "We could not parse the JSON body.")
        except Refused as refused:
            status = 404 if refused.code == "model_not_found" else 400
            return error(status, "invalid_request_error", refused.code or "invalid_value", refused.message)
        record = self._records.of(body)
        faults = {fault.kind: fault for fault in self._desk.faults.for_new_session(CHAT)}
        record.faults += faults
        slow = faults.get("slow")
        late_s = slow.settings.get("delay_ms", 5000) / 1000 if slow is not None else 0.0
        await asyncio.sleep((_THINKING_S + late_s) / self._desk.world.speed)
        answer = self._answer(body, record)
        for name, n in _usage(body, answer).items():
            if isinstance(n, int):
                record.usage[name] += n
        if body.get("stream"):
            return await self._stream(request, body, answer, faults)
        if "disconnect" in faults and request.transport is not None:
            request.transport.abort()
        if "response_failed" in faults:
            return error(500, *_REFUSALS[500])
        if "garbage" in faults:
            return web.Response(body=b'{"choices": [', content_type="application/json")
        return json_response(_whole(body, answer))

    def _answer(self, body: Mapping[str, Any], record: ChatRecord) -> _Answer:
        messages, world = body["messages"], self._desk.world
        form = body.get("response_format") or {}
        if form.get("type") == "json_schema":
            schema = form["json_schema"].get("schema") or {}
            return _Answer(orjson.dumps(answer_to(schema, messages, self._desk.lines_in)).decode(), ())
        history = turns_of(messages, world.line_of)
        reply = decide(
            Scene(
                instructions=instructions_of(messages),
                tools=flat_tools(body.get("tools") or ()),
                history=history,
                now=world.now(),
                tool_choice=body.get("tool_choice") or "auto",
                may_call_in_parallel=body.get("parallel_tool_calls", True),
            )
        )
        text = " ".join(part.text for part in reply if isinstance(part, Say))
        calls = [part for part in reply if isinstance(part, Call)]
        self._records.note(record, history, text, calls)
        return _Answer(text, calls)

    async def _stream(
        self, request: web.Request, body: Mapping[str, Any], answer: _Answer, faults: Mapping[str, Fault]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        head = _head(body, "chat.completion.chunk")
        try:
            for n, piece in enumerate(_pieces(body, answer)):
                await response.write(b"data: " + orjson.dumps(head | piece) + b"\n\n")
                if n == 1 and "stall" in faults:
                    await _wait_until_gone(request)
                if n == 1 and "response_failed" in faults:
                    failure = {"message": _REFUSALS[500][2], "type": "server_error", "code": "server_error"}
                    await response.write(b"data: " + orjson.dumps({"error": failure}) + b"\n\n")
                    return response
                if n == 1 and "garbage" in faults:
                    await response.write(b'data: {"choices": [\n\n')
                if n == 2 and "disconnect" in faults and request.transport is not None:
                    request.transport.abort()
                    return response
                await asyncio.sleep(_PIECE_S / self._desk.world.speed)
            await response.write(b"data: [DONE]\n\n")
        except ConnectionError:
            pass  # the client wants no more of it: somebody has interrupted
        return response


async def _wait_until_gone(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.05)


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise wrong_type(body, "body", "an object")
    for name in ("model", "messages"):
        if name not in body:
            raise missing(name)
    model, messages = body["model"], body["messages"]
    if model not in MODELS:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refused(message, code="model_not_found", param="model")
    if "max_tokens" in body:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        raise Refused(message, code="unsupported_parameter", param="max_tokens")
    if body.get("tools") and model.startswith(_NO_EFFORT) and body.get("reasoning_effort") != "none":
        message = "Function tools need reasoning_effort 'none' on this endpoint; use /v1/responses otherwise."
        raise Refused(message, code="unsupported_value", param="reasoning_effort")
    if not isinstance(messages, list) or not messages:
        raise wrong_type(messages, "messages", "a filled array")
    open_calls: list[str] = []
    for n, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise Refused(f"Invalid value for 'messages[{n}].role'.", param=f"messages[{n}].role")
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise Refused(f"Invalid parameter: {text}", param=f"messages[{n}].role")
            open_calls.remove(message["tool_call_id"])
        elif open_calls:
            text = f"tool_call_ids that did not have response messages: {', '.join(open_calls)}"
            raise Refused(f"An assistant message with 'tool_calls' must be followed by its answers; {text}")
        open_calls += [str(call["id"]) for call in message.get("tool_calls") or ()]
    return body


def _head(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid4().hex[:24]}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _calls(answer: _Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
        }
        for call in answer.calls
    ]


def _whole(body: Mapping[str, Any], answer: _Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.calls:
        message["tool_calls"] = _calls(answer)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.reason}
    return _head(body, "chat.completion") | {"choices": [choice], "usage": _usage(body, answer)}


def _pieces(body: Mapping[str, Any], answer: _Answer) -> Iterator[dict[str, Any]]:
    def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        shown: dict[str, Any] = {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
        return shown | ({"usage": None} if wants_usage else {})

    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    yield choice({"role": "assistant", "content": "" if answer.text else None, "refusal": None})
    words = answer.text.split(" ") if answer.text else []
    for at in range(0, len(words), 2):
        blank = " " if at else ""
        yield choice({"content": blank + " ".join(words[at : at + 2])})
    for index, call in enumerate(_calls(answer)):
        arguments = call["function"]["arguments"]
        yield choice({"tool_calls": [{"index": index, **call, "function": call["function"] | {"arguments": ""}}]})
        step = max(1, -(-len(arguments) // _ARGUMENT_PIECES))
        for at in range(0, len(arguments), step):
            yield choice({"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + step]}}]})
    yield choice({}, answer.reason)
    if wants_usage:
        yield {"choices": [], "usage": _usage(body, answer)}


def _usage(body: Mapping[str, Any], answer: _Answer) -> dict[str, Any]:
    prompt = sum(text_tokens(text_of(message)) + 4 for message in body["messages"])
    prompt += sum(text_tokens(orjson.dumps(tool).decode()) for tool in body.get("tools") or ())
    written = text_tokens(answer.text) + sum(
        text_tokens(call.name + orjson.dumps(call.arguments).decode()) + 4 for call in answer.calls
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _refused(fault: Fault) -> web.Response:
    status = int(fault.settings.get("status", 503))
    response = error(status, *_REFUSALS.get(status, _REFUSALS[500]))
    if status in (429, 503):
        response.headers["Retry-After"] = str(fault.settings.get("retry_after_s", 1))
    return response
