"""Gemini's official SDK, pointed at the sandbox."""

from dataclasses import dataclass
from pathlib import Path
from ssl import Purpose, SSLContext, create_default_context
from typing import Any

import aiohttp
from google.genai import Client, types

from config.run import certificates

from .client import TOOLS as OPENAI_TOOLS

KEY = "AIzaSandboxTest"
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name=tool["name"],
                description=tool.get("description", ""),
                parameters_json_schema=tool["parameters"],
                behavior=types.Behavior.BLOCKING,
            )
            for tool in OPENAI_TOOLS
        ]
    )
]


def loopback_tls(directory: Path) -> tuple[SSLContext, SSLContext]:
    """The sandbox's own, and one that trusts it."""
    pair = certificates.for_loopback()
    served = directory / "served.pem"
    served.write_text(pair.served)
    server = create_default_context(Purpose.CLIENT_AUTH)
    server.load_cert_chain(served)
    return server, create_default_context(cadata=pair.authority)


@dataclass(frozen=True)
class Host:
    """tls: trusts it."""

    port: int
    tls_port: int
    tls: SSLContext

    async def order(self, kind: str, **settings: Any) -> None:
        address = f"http://127.0.0.1:{self.port}/_sandbox/faults"
        async with aiohttp.ClientSession() as http, http.post(address, json={"kind": kind, **settings}) as answer:
            assert answer.status == 201, await answer.text()

    async def sessions(self) -> list[dict[str, Any]]:
        address = f"http://127.0.0.1:{self.port}/_sandbox/sessions"
        async with aiohttp.ClientSession() as http, http.get(address) as answer:
            found: list[dict[str, Any]] = (await answer.json())["sessions"]
            return found


def gemini(host: Host, key: str = KEY) -> Client:
    options = types.HttpOptions(
        base_url=f"https://127.0.0.1:{host.tls_port}",
        api_version="v1beta",
        client_args={"verify": host.tls},
        async_client_args={"verify": host.tls, "ssl": host.tls},
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    return Client(enterprise=False, api_key=key, http_options=options)
