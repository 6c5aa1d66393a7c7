"""What a worker of the tests is asked to do."""

import structlog
from celery import shared_task


@shared_task(name="tests.say_hello")
def say_hello() -> None:
    structlog.get_logger(__name__).info("hello_said")
