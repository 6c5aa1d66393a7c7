"""Work on contacts that takes longer than a request."""

from celery import shared_task

from apps.contacts import imports


@shared_task(name="contacts.import_contacts")
def import_contacts(import_id: int) -> None:
    imports.run_import(import_id)


@shared_task(name="contacts.resume_stale_imports")
def resume_stale_imports() -> None:
    imports.resume_stale_imports()
