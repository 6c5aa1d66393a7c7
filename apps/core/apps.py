from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        from django_redis import get_redis_connection

        from apps.core import breaker, checks, correlation  # noqa: F401 - the checks register themselves

        breaker.share_through(lambda: get_redis_connection("default"))
        correlation.connect()
