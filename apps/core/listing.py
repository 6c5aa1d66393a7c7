"""A list page's plumbing: filter, sort, page and CSV, all from the address."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import django_filters
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.text import slugify

from apps.core.tables import Column, sort_fields

PAGE_SIZE = 50
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

M = TypeVar("M", bound=Model)


class Listing(Generic[M]):
    """rows: everything that matches, sorted; page: what is shown; chips: the filters that hold, as words."""

    def __init__(
        self,
        request: HttpRequest,
        rows: QuerySet[M],
        *,
        columns: Sequence[Column],
        default_sort: str,
        filterset: type[django_filters.FilterSet] | None = None,
    ) -> None:
        self.request = request
        self.columns = columns
        self.filter = filterset(request.GET, queryset=rows, request=request) if filterset else None
        matching = self.filter.qs if self.filter else rows
        self.sort, ordering = sort_fields(columns, request.GET.get("sort", ""), default=default_sort)
        self.rows: QuerySet[M] = matching.order_by(*ordering, "-pk")
        self.page: Page[M] = Paginator(self.rows, PAGE_SIZE).get_page(request.GET.get("page"))

    @property
    def chips(self) -> list[dict[str, str]]:
        """One per filter that holds: its label, its value in words, and the address without it."""
        if self.filter is None or not self.filter.form.is_valid():
            return []
        found = []
        for name, value in self.filter.form.cleaned_data.items():
            if value in (None, ""):
                continue
            field = self.filter.form.fields[name]
            found.append(
                {"label": str(field.label), "value": _words_of(field, value), "remove_url": self._url_without(name)}
            )
        return found

    @property
    def export_url(self) -> str:
        query = self.request.GET.copy()
        query.pop("page", None)
        query["format"] = "csv"
        return f"?{query.urlencode()}"

    def _url_without(self, name: str) -> str:
        query = self.request.GET.copy()
        for key in (name, "page"):
            query.pop(key, None)
        return f"?{query.urlencode()}"


def _words_of(field: Any, value: Any) -> str:
    """What a person reads for a filter's value: the name of the choice, the model's name, or the value itself."""
    choices = {} if isinstance(value, Model) else dict(getattr(field, "choices", ()))
    return str(choices.get(value, value))


class _Echo:
    """A file that hands back what is written to it: csv.writer then makes one line at a time."""

    def write(self, line: str) -> str:
        return line


def csv_response(
    name: str, heads: Sequence[str], rows: Iterable[M], cells: Callable[[M], Sequence[object]]
) -> StreamingHttpResponse:
    """A CSV of any length, streamed; UTF-8 with a BOM so that spreadsheets read it, and no cell is a formula."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff" + str(writer.writerow(heads))
        for row in rows:
            yield str(writer.writerow([_harmless(cell) for cell in cells(row)]))

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(name) or "export"}.csv"'
    return response


def _harmless(cell: object) -> object:
    if isinstance(cell, str):
        return no_formula(cell)
    return "" if cell is None else cell


def no_formula(text: str) -> str:
    """A text that no spreadsheet will take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text
