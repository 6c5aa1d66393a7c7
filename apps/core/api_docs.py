"""The API's description and the pages that show it. Open to all: they hold nothing that the source does not."""

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


@method_decorator([cache_page(300), vary_on_headers("Accept", "Accept-Language")], name="dispatch")
class SchemaView(SpectacularAPIView):
    """OpenAPI 3. Making it takes a second of work, so it is kept for a while."""

    authentication_classes: list[Any] = []


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script comes by a request of its own, as the policy forbids inline ones."""

    template_name = "api/docs.html"
