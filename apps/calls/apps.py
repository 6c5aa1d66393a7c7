from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CallsConfig(AppConfig):
    name = "apps.calls"
    label = "calls"
    verbose_name = _("Calls")

    def ready(self) -> None:
        from apps.calls import checks, counts  # noqa: F401 - they register themselves
