"""The media process's routes."""

from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

from apps.calls.carriers.capabilities import CAPABILITIES
from apps.calls.consumers import media_consumer
from apps.calls.media_process import MediaProcess, Receive, Scope, Send, make_media_process


class MediaApplication:
    """Sockets to the consumer, health questions and the server's start and stop to the process."""

    def __init__(self, process: MediaProcess) -> None:
        self._process = process
        carriers = "|".join(CAPABILITIES)
        route = re_path(rf"^media/(?P<carrier>{carriers})/(?P<media_token>[\w-]{{20,64}})$", media_consumer(process))
        self._sockets: Any = URLRouter([route])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            try:
                await self._sockets(scope, receive, send)
            except ValueError:  # no such address
                await receive()
                await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            await self._process.answer_http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._process.lifespan(receive, send)


def media_application() -> MediaApplication:
    return MediaApplication(make_media_process())
