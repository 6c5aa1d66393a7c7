"""Every address of the web process."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.accounts.views import set_language
from apps.core import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("i18n/setlang/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("api/", include("config.api_urls")),
    path("hooks/", include("apps.calls.urls_webhooks")),
    path("hooks/", include("apps.messaging.urls_webhooks")),
    path("accounts/", include("apps.accounts.urls")),
    path("contacts/", include("apps.contacts.urls")),
    path("campaigns/", include("apps.campaigns.urls")),
    path("calls/", include("apps.calls.urls")),
    path("messages/", include("apps.messaging.urls")),
    path("live/", include("apps.cockpit.urls")),
    path("", RedirectView.as_view(pattern_name="cockpit:home"), name="home"),
]
if settings.STYLEGUIDE:
    from apps.cockpit.views import styleguide

    urlpatterns.append(path("styleguide/", styleguide, name="styleguide"))

handler400 = "apps.core.error_pages.bad_request"
handler403 = "apps.core.error_pages.permission_denied"
handler404 = "apps.core.error_pages.page_not_found"
handler500 = "apps.core.error_pages.server_error"
