"""Why a row, or a whole file, was not taken: codes, and the words for them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.contacts.models import ContactImport

ADDED = "added"
ON_DNC = "dnc"

ROW_REASONS: dict[str, str | Promise] = {
    ON_DNC: _("Added, but on the do-not-call list: will not be called."),
    "no_phone": _("No phone number."),
    "not_a_number": _("The phone number cannot be read."),
    "impossible": _("There is no such phone number."),
    "no_country": _("The phone number belongs to no country, so no calling rules are known for it."),
    "duplicate_in_file": _("The number stands in this file before."),
    "duplicate_in_list": _("The number is in the list already."),
    "formula": _("A value begins like a spreadsheet formula."),
    "too_long": _("A value is too long."),
    "bad_language": _("The language is not one of those offered."),
    "bad_zone": _("The time zone is not known."),
    "bad_email": _("The e-mail address is not valid."),
    "bad_country": _("The country is not a two-letter code such as ES."),
    "bad_consent": _("The consent or its date cannot be read."),
    "bad_quotes": _("The quotation marks of the row do not match."),
    "bad_characters": _("The row holds characters that cannot be read."),
    "extra_cells": _("The row has more cells than the header."),
}
RESULT_ADDED = pgettext_lazy("row of a file", "added")
RESULT_REJECTED = pgettext_lazy("row of a file", "left out")

FILE_ERRORS: dict[str, str | Promise] = {
    "empty_file": _("The file is empty."),
    "no_rows": _("The file has a header and no rows."),
    "not_csv": _("This is not a CSV file. Save the sheet as CSV and try again."),
    "no_phone_column": _("No column is named “phone” (or teléfono, telefon). The columns found are: %(detail)s"),
    "column_twice": _("A column stands there twice: %(detail)s"),
    "too_large": _("The file is too large. Split it into several."),
    "unreadable": _("The file could not be read to its end."),
    "failed": _("Something went wrong on our side. Nothing was imported; try again."),
}


def row_words(code: str) -> str | Promise:
    return ROW_REASONS.get(code, code)


def error_words(job: ContactImport) -> str:
    """What was wrong with the file, in the reader's language; "" if nothing."""
    if not job.error_code:
        return ""
    return str(FILE_ERRORS.get(job.error_code, job.error_code)) % {"detail": job.error_detail}


def reason_counts(job: ContactImport) -> list[tuple[str | Promise, int]]:
    """Why rows were left out or stand out, most first: words and how many."""
    counts = sorted(job.reasons.items(), key=lambda item: (-item[1], item[0]))
    return [(row_words(code), n) for code, n in counts]
