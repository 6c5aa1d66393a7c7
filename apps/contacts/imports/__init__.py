"""People from a CSV file: every row's fate is told, good rows are kept, and nothing is ever half imported."""

from apps.contacts.imports.jobs import cancel_import, resume_stale_imports, run_import, start_import
from apps.contacts.imports.reasons import error_words, reason_counts, row_words

__all__ = [
    "cancel_import",
    "error_words",
    "reason_counts",
    "resume_stale_imports",
    "row_words",
    "run_import",
    "start_import",
]
