"""The web process's sockets."""

from django.urls import URLPattern, path

from apps.cockpit.consumers import LiveConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/live/", LiveConsumer.as_asgi())]
