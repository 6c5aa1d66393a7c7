"""Celery's door to messaging: an id comes in, one service is called."""

from celery import shared_task

from apps.messaging.services import reconcile, sending


@shared_task(name="messaging.send_text")
def send_text(event_id: int) -> None:
    sending.send_for_event(event_id)


@shared_task(name="messaging.hand_over")
def hand_over(message_id: int) -> None:
    sending.hand_over(message_id)


@shared_task(name="messaging.reconcile_message")
def reconcile_message(message_id: int) -> None:
    reconcile.reconcile_message(message_id)


@shared_task(name="messaging.reconcile_messages")
def reconcile_messages() -> None:
    reconcile.reconcile_messages()
