"""Carrier media sockets only: the media process (uvicorn).

A process of its own, so that a deploy or a slow query of the web process is never heard on the line.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
# Before numpy is loaded: a frame of sound is a product of tiny matrices, for which no second thread is to be woken.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
get_asgi_application()  # loads the apps; this process answers no Django view

from apps.calls.routing import media_application  # noqa: E402

application = media_application()
