"""The media process's routes."""

from channels.routing import ProtocolTypeRouter, URLRouter

media_application = ProtocolTypeRouter({"websocket": URLRouter([])})
