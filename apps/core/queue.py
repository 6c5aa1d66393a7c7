"""Hand work to Celery after the transaction that wrote its row has committed."""

from celery import current_app

from apps.core.db import after_commit


def enqueue(task_name: str, *args: int | str, expires_s: float | None = None, countdown_s: float | None = None) -> None:
    """Wake a worker after commit. args: ids only, the task reads the row again.

    expires_s: after this long the message is worth nothing and is dropped; the row stays and is found again.
    """
    after_commit(current_app.send_task, task_name, args=args, expires=expires_s, countdown=countdown_s)
