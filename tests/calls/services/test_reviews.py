"""After the call: claimed, asked, kept or tried again, against a language model on the real wire."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls import adapters, reviewing
from apps.calls.models import CallReview, CostItem, Speaker, Turn
from apps.calls.services import reviews
from apps.core import breaker
from tests.calls.voice_ai.providers import GEMINI_KEY
from tests.factories.calls import make_ended_call, make_price, make_virtual_agent
from tests.sandbox.voice_ai.client import KEY
from tests.stack import wait_for

pytestmark = pytest.mark.django_db


class Sandbox:
    def __init__(self, port: int) -> None:
        self.port = port

    def order(self, **fault) -> None:
        data = json.dumps({"provider": "openai/chat", **fault}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_sandbox/faults", data, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def process() -> Iterator[Sandbox]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GEMINI_"))}
    keys = {"OPENAI_API_KEY": KEY, "GEMINI_API_KEY": GEMINI_KEY}
    command = [sys.executable, "-m", "apps.sandbox.voice_ai", "--port", str(port)]
    with subprocess.Popen(command, env=kept | keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:

        def is_up() -> bool:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            except OSError:
                return False
            return True

        wait_for(is_up, "the sandbox is up", timeout_s=30)
        yield Sandbox(port)
        running.terminate()


@pytest.fixture
def sandbox(process, settings) -> Iterator[Sandbox]:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{process.port}/v1"
    settings.OPENAI_API_KEY = KEY
    adapters.language_model_for.cache_clear()
    adapters.language_model_for("openai")
    breaker.close(adapters.llm_breaker("openai"))
    yield process
    adapters.language_model_for.cache_clear()


@pytest.fixture
def call():
    agent = make_virtual_agent(
        review_llm="openai:gpt-6-luna",
        extracted_fields={"budget": {"type": "number"}},
        qa_checklist="Did the AI greet?\nWas a date agreed?",
    )
    call = make_ended_call(virtual_agent=agent)
    for n, (speaker, text) in enumerate(
        [
            (Speaker.AI, "Hello, an AI speaking."),
            (Speaker.CALLER, "Yes, that sounds interesting. Tell me more, please."),
        ]
    ):
        Turn.objects.create(
            call=call, speaker=speaker, text=text, item_id=f"i{n}", started_ms=n, ended_ms=n, at=timezone.now()
        )
    return call


def due(call) -> CallReview:
    reviews.request_missing(now=timezone.now())
    return CallReview.objects.get(call=call)


def test_a_call_is_summed_up_priced_and_marked(sandbox, call):
    make_price("openai", "text_in", "1.25", model="gpt-6-luna")
    review = due(call)
    reviews.review_call(review.pk)
    review.refresh_from_db()
    assert (review.state, review.error) == ("done", "")
    assert review.summary
    assert review.sentiment in {"positive", "neutral", "negative"}
    assert [item["question"] for item in review.qa] == ["Did the AI greet?", "Was a date agreed?"]
    assert 0 <= review.qa_score <= 1
    cost = CostItem.objects.get(call=call, service="openai", model="gpt-6-luna", part="text_in")
    assert cost.quantity > 0
    assert cost.amount > 0


def test_a_task_that_comes_twice_asks_once(sandbox, call):
    review = due(call)
    reviews.review_call(review.pk)
    spent = CostItem.objects.get(call=call, part="text_in").quantity
    reviews.review_call(review.pk)
    assert CostItem.objects.get(call=call, part="text_in").quantity == spent


def test_an_answer_of_no_use_is_paid_for_all_the_same(sandbox, call, monkeypatch):
    def of_no_use(assignment, answer):
        raise reviewing.BadReview("no summary")

    monkeypatch.setattr(reviewing, "read", of_no_use)
    review = due(call)
    reviews.review_call(review.pk)
    review.refresh_from_db()
    assert (review.state, review.n_tries) == ("waiting", 1)
    assert CostItem.objects.get(call=call, service="openai", part="text_in").quantity > 0


def test_a_busy_model_is_asked_again_later_and_given_up_in_the_end(sandbox, call):
    review = due(call)
    for n_tries in range(1, 7):
        sandbox.order(kind="refuse", status=429)
        reviews.review_call(review.pk)
        review.refresh_from_db()
        assert (review.n_tries, review.error) == (n_tries, "http_429")
        breaker.close(adapters.llm_breaker("openai"))
    assert review.state == "failed"
    reviews.review_again(call.pk)
    reviews.review_call(review.pk)
    review.refresh_from_db()
    assert review.state == "done"


def test_an_open_breaker_costs_no_try(sandbox, call):
    review = due(call)
    breaker.open(adapters.llm_breaker("openai"))
    reviews.review_call(review.pk)
    review.refresh_from_db()
    assert (review.state, review.n_tries, review.error) == ("waiting", 0, "circuit_open")
    breaker.close(adapters.llm_breaker("openai"))


def test_only_talked_calls_of_agents_that_want_it_are_reviewed(call):
    make_ended_call("busy")
    call.virtual_agent.review_llm = ""
    call.virtual_agent.save()
    assert reviews.request_missing(now=timezone.now()) == 0
    call.virtual_agent.review_llm = "openai:gpt-6-luna"
    call.virtual_agent.save()
    assert reviews.request_missing(now=call.ended_at + timedelta(seconds=1)) == 0, "the last words may still come"
    assert reviews.request_missing(now=timezone.now()) == 1
    assert reviews.request_missing(now=timezone.now()) == 0


def test_who_dies_with_a_review_leaves_it_to_be_due_again(call):
    now = timezone.now()
    assert reviews.hand_out_due(now=now) == 1
    assert reviews.hand_out_due(now=now) == 0
    assert reviews.hand_out_due(now=now + timedelta(minutes=6)) == 1
