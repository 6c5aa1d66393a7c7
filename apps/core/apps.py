from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        from apps.core import checks, correlation  # noqa: F401 - the checks register themselves

        correlation.connect()
