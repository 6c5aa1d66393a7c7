import asyncio
import time
from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection
from django_redis import get_redis_connection

from apps.calls import journal as journal_module
from apps.calls.bridge.sink import SpokenTurn
from apps.calls.journal import EventRecord, Journal, TurnRecord, UsageRecord
from apps.calls.media.frames import Usage
from apps.calls.models import CallEvent, CostItem, Turn
from apps.calls.models.cost import Part
from apps.core.realtime import current_seq
from tests.factories.calls import make_leg, make_price

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture
def journal():
    journal = Journal()
    journal.start()
    yield journal
    journal.stop()


@pytest.fixture
def leg():
    return make_leg("answered")


def turn(leg, text: str = "Hello.", *, item_id: str = "a1", **fields) -> TurnRecord:
    is_kept = fields.pop("is_kept", True)
    spoken = SpokenTurn(item_id, fields.pop("speaker", "ai"), text, 100, 900, language="en", **fields)
    return TurnRecord(leg.call_id, spoken, AT, is_kept=is_kept)


def flush(journal: Journal, leg) -> None:
    asyncio.run(asyncio.wait_for(journal.flush(leg.call_id), 5))


def test_what_was_told_is_in_the_database_after_a_flush(journal, leg):
    make_price("openai", Part.AUDIO_IN, "4")
    make_price("openai", Part.TRANSCRIPTION, "4")
    journal.add(turn(leg))
    journal.add(EventRecord(leg.call_id, leg.pk, "session_started", {"voice_ai": "openai"}, AT))
    journal.add(UsageRecord(leg.call_id, "openai", "gpt-realtime-2.1", Usage(audio_in=10)))
    journal.add(UsageRecord(leg.call_id, "openai", "gpt-realtime-2.1", Usage(audio_in=5)))
    journal.add(UsageRecord(leg.call_id, "openai", "gpt-realtime-2.1", Usage(transcription=7, model="gpt-transcribe")))
    flush(journal, leg)
    [kept] = Turn.objects.filter(call_id=leg.call_id)
    assert (kept.speaker, kept.text, kept.started_ms, kept.ended_ms, kept.at) == ("ai", "Hello.", 100, 900, AT)
    [event] = CallEvent.objects.filter(call_id=leg.call_id, kind="session_started")
    assert (event.leg_id, event.data) == (leg.pk, {"voice_ai": "openai"})
    quantities = {(item.model, item.part): item.quantity for item in CostItem.objects.filter(call_id=leg.call_id)}
    assert quantities == {("gpt-realtime-2.1", "audio_in"): 15, ("gpt-transcribe", "transcription"): 7}


def test_a_turn_told_again_replaces_the_first_wording(journal, leg):
    journal.add(turn(leg, "One two three four"))
    flush(journal, leg)
    journal.add(turn(leg, "One two", was_interrupted=True))
    flush(journal, leg)
    [kept] = Turn.objects.filter(call_id=leg.call_id)
    assert (kept.text, kept.was_interrupted) == ("One two", True)


def test_a_turn_of_which_nothing_was_heard_disappears(journal, leg):
    journal.add(turn(leg, "One two three four"))
    flush(journal, leg)
    journal.add(turn(leg, "", was_interrupted=True))
    flush(journal, leg)
    assert not Turn.objects.filter(call_id=leg.call_id).exists()


def test_a_card_number_over_several_turns_is_taken_out_of_those_already_written(journal, leg):
    journal.add(turn(leg, "It is four one one one, one one one one", item_id="c1", speaker="caller"))
    flush(journal, leg)
    assert Turn.objects.get(item_id="c1").text == "It is four one one one, one one one one"
    journal.add(turn(leg, "Go on.", item_id="a1"))
    journal.add(turn(leg, "1111 1111. Have you got it?", item_id="c2", speaker="caller"))
    flush(journal, leg)
    texts = dict(Turn.objects.filter(call_id=leg.call_id).values_list("item_id", "text"))
    assert texts == {"c1": "It is [card data]", "a1": "Go on.", "c2": "[card data]. Have you got it?"}


def test_pieces_on_their_way_are_shown_and_not_kept(leg):
    before = current_seq("live")
    journal = Journal()
    journal.add(turn(leg, "Hel", is_kept=False))
    journal.add(turn(leg, "Hello", is_kept=False))
    journal.start()
    journal.stop()
    assert current_seq("live") == before + 1  # the last wording only
    assert not Turn.objects.filter(call_id=leg.call_id).exists()


def test_characters_a_database_cannot_hold_do_not_stop_the_rest(journal, leg):
    journal.add(turn(leg, "He\x00llo"))
    journal.add(EventRecord(leg.call_id, leg.pk, "dtmf", {"digit": "\x00"}, AT))
    flush(journal, leg)
    assert Turn.objects.get(call_id=leg.call_id).text == "Hello"
    assert CallEvent.objects.filter(call_id=leg.call_id, kind="dtmf").exists()


def test_a_record_the_database_refuses_does_not_take_others_with_it(journal, leg):
    gone = make_leg("answered")
    orphan = turn(gone)
    lost_usage = UsageRecord(gone.call_id, "openai", "m", Usage(audio_in=1))
    gone.call.delete()
    journal.add(orphan)
    journal.add(lost_usage)
    journal.add(turn(leg))
    journal.add(EventRecord(leg.call_id, leg.pk, "x" * 500, {}, AT))
    journal.add(EventRecord(leg.call_id, leg.pk, "session_ended", {}, AT))
    flush(journal, leg)
    assert Turn.objects.filter(call_id=leg.call_id).count() == 1
    assert CallEvent.objects.filter(call_id=leg.call_id, kind="session_ended").count() == 1


def test_a_database_that_goes_away_while_what_it_refuses_is_looked_for_loses_nothing(journal, leg, monkeypatch):
    real, asked = journal_module._write, []

    def write(batch) -> None:
        asked.append(batch)
        if len(asked) == 3:
            raise OperationalError("away")
        real(batch)

    monkeypatch.setattr(journal_module, "_write", write)
    monkeypatch.setattr(journal_module, "_RETRY_S", (0.01,))
    journal.add(EventRecord(leg.call_id, leg.pk, "x" * 500, {}, AT))
    for i in range(20):
        journal.add(turn(leg, f"Turn {i}", item_id=f"a{i}"))
    flush(journal, leg)
    assert Turn.objects.filter(call_id=leg.call_id).count() == 20


def test_nothing_is_lost_while_the_database_is_away(journal, leg, monkeypatch):
    is_away = True
    real = journal_module._write

    def write(batch) -> None:
        if is_away:
            raise OperationalError("away")
        real(batch)

    monkeypatch.setattr(journal_module, "_write", write)
    monkeypatch.setattr(journal_module, "_RETRY_S", (0.01,))
    for i in range(50):
        journal.add(turn(leg, f"Turn {i}", item_id=f"a{i}"))
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(journal.flush(leg.call_id), 0.3))
    is_away = False
    flush(journal, leg)
    assert Turn.objects.filter(call_id=leg.call_id).count() == 50


def test_memory_is_bounded_while_the_database_is_away(leg):
    journal = Journal(max_records=10)
    for i in range(100):
        journal.add(turn(leg, item_id=f"a{i}"))
    assert journal.n_waiting == 10
    assert journal.is_full


def test_the_end_of_the_process_writes_what_is_left(leg):
    journal = Journal()
    journal.start()
    for i in range(1200):
        journal.add(turn(leg, item_id=f"a{i}"))
    journal.stop()
    assert Turn.objects.filter(call_id=leg.call_id).count() == 1200


def test_signs_of_life_are_one_statement_for_all_calls(journal, monkeypatch):
    monkeypatch.setattr(journal_module, "_HEARTBEAT_S", 0.01)
    legs = [make_leg("answered") for _ in range(3)]
    for leg in legs:
        journal.open_leg(leg.pk)
    statements: list[str] = []

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    real = journal_module._write

    def write(batch) -> None:
        with connection.execute_wrapper(note):
            real(batch)

    monkeypatch.setattr(journal_module, "_write", write)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for leg in legs:
            leg.refresh_from_db()
        if all(leg.media_heartbeat_at for leg in legs):
            break
        time.sleep(0.02)
    assert all(leg.media_heartbeat_at for leg in legs)
    assert any(sql.startswith("UPDATE") and sql.count("media_heartbeat_at") == 1 for sql in statements)
    journal.close_leg(legs[0].pk)


def test_redis_that_is_away_does_not_stop_the_database(journal, leg, monkeypatch):
    def away(*_args):
        raise ConnectionError("away")

    monkeypatch.setattr(get_redis_connection("default").__class__, "incrby", away)
    journal.add(turn(leg))
    flush(journal, leg)
    journal.add(turn(leg, "Again.", item_id="a2"))
    flush(journal, leg)
    assert Turn.objects.filter(call_id=leg.call_id).count() == 2
