"""The versioned REST API and its documentation."""

from django.urls import include, path

from apps.accounts.api.views import JwksView
from apps.core.api_docs import DocsView, SchemaView

v1 = [
    path("", include("apps.accounts.api.urls")),
    path("", include("apps.contacts.api.urls")),
    path("", include("apps.campaigns.api.urls")),
    path("", include("apps.calls.api.urls")),
    path("", include("apps.messaging.api.urls")),
]

urlpatterns = [
    path("v1/", include((v1, "v1"))),
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path("jwks.json", JwksView.as_view(), name="jwks"),
]
