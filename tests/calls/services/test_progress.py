"""Webhooks repeat, come late and overtake each other; what is left in the end is the same."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calls.carriers.base import LineNews, LineStatus, MachineNews, StreamNews, Verdict
from apps.calls.models import Call, CallEvent, CostItem, EndReason, Leg
from apps.calls.selectors import live_call_card, with_people
from apps.calls.services import ending, media_sessions, progress
from apps.calls.signals import call_answered, call_ended
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_carrier_price, make_leg, sid

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def story_of_a_call(call_sid: str, *, answered_by: str = "human") -> list:
    """Everything the carrier tells about one answered call, in the order in which it happened."""
    verdict = Verdict.MACHINE if answered_by.startswith("machine") else Verdict.HUMAN
    stream = sid("MZ")

    def line(status: LineStatus, n: int, second: float, **facts) -> LineNews:
        return LineNews(call_sid, status, at=at(second), key=f"twilio:{call_sid}:{n}", **facts)

    return [
        line(LineStatus.QUEUED, 0, 0),
        line(LineStatus.RINGING, 1, 1),
        "answer",
        line(LineStatus.ANSWERED, 2, 6),
        StreamNews(call_sid, stream, "started", "", f"{stream}:started", at(6.2)),
        MachineNews(call_sid, answered_by, verdict, f"twilio:{call_sid}:amd:{answered_by}", 3100),
        StreamNews(call_sid, stream, "stopped", "", f"{stream}:stopped", at(66)),
        line(LineStatus.COMPLETED, 3, 67, sip_code=200, duration_s=61),
    ]


def tell(leg: Leg, news) -> None:
    if news == "answer":
        call_sid = leg.carrier_call_id
        answer = LineNews(call_sid, LineStatus.ANSWERED, key=f"twilio:{call_sid}:answer")
        media_sessions.answer_leg(leg.pk, answer)
    elif isinstance(news, MachineNews):
        progress.machine_heard(leg.pk, news)
    elif isinstance(news, StreamNews):
        progress.stream_changed(leg.pk, news)
    else:
        progress.leg_progressed(leg.pk, news)


def final_state(leg: Leg) -> dict:
    leg = Leg.objects.select_related("call").get(pk=leg.pk)
    cost = CostItem.objects.get(call=leg.call)
    return {
        "leg": (leg.state, leg.outcome, leg.ringing_at, leg.answered_at, leg.ended_at, leg.sip_code, leg.answered_by),
        "call": (leg.call.outcome, leg.call.end_reason, leg.call.answered_at, leg.call.ended_at),
        "cost": (cost.part, cost.quantity, cost.amount),
        "media_token_expires_at": leg.media_token_expires_at,
        "n_webhooks": leg.events.exclude(key="").count(),
        "n_ended": leg.events.filter(kind="ended", data__is_late__isnull=True).count(),
    }


@pytest.mark.parametrize("answered_by", ["human", "machine_end_beep"])
def test_any_order_and_any_repeats_come_to_the_same(answered_by):
    make_carrier_price("0.014")
    straight = make_leg(LegState.QUEUED)
    n = len(story_of_a_call("CA", answered_by=answered_by))
    for news in story_of_a_call(straight.carrier_call_id, answered_by=answered_by):
        tell(straight, news)
    expected = final_state(straight)
    is_machine = answered_by.startswith("machine")
    assert expected["leg"][:2] == (LegState.ENDED, Outcome.VOICEMAIL if is_machine else Outcome.ANSWERED)

    @settings(max_examples=15, deadline=None, database=None)
    @given(
        order=st.lists(st.sampled_from(range(n)), max_size=5).flatmap(lambda more: st.permutations([*range(n), *more]))
    )
    def check(order):
        mixed = make_leg(LegState.QUEUED)
        story = story_of_a_call(mixed.carrier_call_id, answered_by=answered_by)
        for index in order:
            tell(mixed, story[index])
        assert final_state(mixed) == expected

    check()


def test_late_ringing_does_not_reopen_ended_leg():
    leg = make_leg(LegState.RINGING)
    assert progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.BUSY, at(5), key="k:2"))
    assert not progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.RINGING, at(2), key="k:1"))
    leg.refresh_from_db()
    assert (leg.state, leg.outcome, leg.ringing_at) == (LegState.ENDED, Outcome.BUSY, at(2))


def test_the_first_final_word_stays():
    leg = make_leg(LegState.RINGING)
    progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.NO_ANSWER, at(5), key="k:2"))
    progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.FAILED, at(9), key="k:3"))
    leg.refresh_from_db()
    assert (leg.outcome, leg.ended_at) == (Outcome.NO_ANSWER, at(5))


def test_signals_go_out_once_and_after_commit(django_capture_on_commit_callbacks):
    heard: list[tuple[str, int]] = []

    def on_answered(call_id, **kwargs):
        heard.append(("answered", call_id))

    def on_ended(call_id, **kwargs):
        heard.append(("ended", call_id))

    call_answered.connect(on_answered)
    call_ended.connect(on_ended)
    leg = make_leg(LegState.RINGING)
    answered = LineNews(leg.carrier_call_id, LineStatus.ANSWERED, at(5), key="k:2")
    completed = LineNews(leg.carrier_call_id, LineStatus.COMPLETED, at(50), key="k:3", duration_s=45)
    try:
        with django_capture_on_commit_callbacks() as waiting:
            for news in (answered, answered, completed, completed):
                progress.leg_progressed(leg.pk, news)
            assert heard == []
        for send in waiting:
            send()
    finally:
        call_answered.disconnect(on_answered)
        call_ended.disconnect(on_ended)
    assert heard == [("answered", leg.call_id), ("ended", leg.call_id)]


def test_a_call_ends_with_its_last_leg_and_has_the_customers_outcome():
    customer = make_leg(LegState.ANSWERED)
    agent = make_leg(LegState.ANSWERED, call=customer.call, party="agent")
    progress.leg_progressed(customer.pk, LineNews(customer.carrier_call_id, LineStatus.COMPLETED, at(5), key="a:3"))
    assert Call.objects.get(pk=customer.call_id).is_live
    progress.leg_progressed(agent.pk, LineNews(agent.carrier_call_id, LineStatus.FAILED, at(6), key="b:3"))
    call = Call.objects.get(pk=customer.call_id)
    assert (call.outcome, call.ended_at, call.end_reason) == (Outcome.ANSWERED, at(6), EndReason.CALLER_HUNG_UP)


def test_the_carriers_answer_may_come_after_its_webhooks():
    leg = make_leg(LegState.REQUESTED)
    call_sid = sid()
    progress.leg_progressed(leg.pk, LineNews(call_sid, LineStatus.RINGING, at(2), key="k:1"))
    progress.leg_accepted(leg.pk, call_sid)
    leg.refresh_from_db()
    assert (leg.state, leg.carrier_call_id) == (LegState.RINGING, call_sid)


def test_the_token_in_the_url_wins_over_a_guess_by_numbers():
    guessed, told = make_leg(LegState.QUEUED), make_leg(LegState.UNKNOWN)
    call_sid = guessed.carrier_call_id
    progress.leg_progressed(told.pk, LineNews(call_sid, LineStatus.RINGING, at(2), key="k:1"))
    guessed.refresh_from_db()
    told.refresh_from_db()
    assert (told.state, told.carrier_call_id) == (LegState.RINGING, call_sid)
    assert (guessed.state, guessed.carrier_call_id) == (LegState.UNKNOWN, None)


def test_a_call_that_another_leg_talks_in_is_nobody_elses():
    talking, doubtful = make_leg(LegState.ANSWERED), make_leg(LegState.UNKNOWN)
    news = LineNews(talking.carrier_call_id, LineStatus.COMPLETED, at(9), key="k:1", duration_s=5)
    assert not progress.leg_progressed(doubtful.pk, news)
    talking.refresh_from_db()
    doubtful.refresh_from_db()
    assert (talking.state, doubtful.state, doubtful.carrier_call_id) == (LegState.ANSWERED, LegState.UNKNOWN, None)


def test_a_leg_that_was_written_off_and_rings_all_the_same_is_hung_up(queue, django_capture_on_commit_callbacks):
    leg = make_leg(LegState.UNKNOWN)
    leg.call = Call.objects.get(pk=leg.call_id)
    ending.settle_leg(leg, Outcome.NOT_PLACED, at=at(60))
    with django_capture_on_commit_callbacks(execute=True):
        assert not progress.leg_progressed(leg.pk, LineNews(sid(), LineStatus.RINGING, at(70), key="k:1"))
    assert [(sent.name, sent.args) for sent in queue] == [("calls.hang_up_leg", (leg.pk,))]
    leg.refresh_from_db()
    assert (leg.outcome, leg.state) == (Outcome.NOT_PLACED, LegState.ENDED)


def test_a_call_to_be_ended_is_hung_up_as_soon_as_its_name_is_known(queue, django_capture_on_commit_callbacks):
    leg = make_leg(LegState.REQUESTED)
    with django_capture_on_commit_callbacks(execute=True):
        ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
        progress.leg_accepted(leg.pk, sid())
    assert [sent.name for sent in queue].count("calls.hang_up_leg") == 2


def test_a_machine_that_is_heard_live_makes_it_a_voicemail_and_is_not_forgotten():
    leg = make_leg(LegState.ANSWERED)
    news = MachineNews(leg.carrier_call_id, "machine_end_beep", Verdict.MACHINE, "k:amd", 4000)
    assert progress.machine_heard(leg.pk, news)
    assert not progress.machine_heard(leg.pk, news)
    unsure = MachineNews(leg.carrier_call_id, "unknown", Verdict.UNKNOWN, "k:amd2")
    progress.machine_heard(leg.pk, unsure)
    progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.COMPLETED, at(9), key="k:3"))
    leg.refresh_from_db()
    assert (leg.outcome, leg.answered_by) == (Outcome.VOICEMAIL, "machine_end_beep")
    assert CallEvent.objects.filter(leg=leg, kind="machine_verdict").count() == 2


def test_a_prompt_webhook_is_as_old_as_its_arrival_and_a_late_one_as_its_stamp():
    now = at(10.4)
    assert progress.when(None, now=now) == now
    assert progress.when(at(10), now=now) == now  # cut to the second: the story must not run backwards
    assert progress.when(at(5), now=now) == at(5)
    assert progress.when(at(9.25), now=now) == at(9.25)
    assert progress.when(at(60), now=now) == now  # their clock is ahead of ours


@pytest.mark.parametrize("seed", range(6))
def test_what_open_pages_are_told_is_what_a_fresh_snapshot_shows(monkeypatch, seed):
    told: list[dict] = []
    monkeypatch.setattr("apps.calls.services.story.publish", lambda group, event, data: told.append(data))
    leg = make_leg(LegState.QUEUED)
    told.append(dict(live_call_card(Call.objects.get(pk=leg.call_id))))
    story = story_of_a_call(leg.carrier_call_id, answered_by="machine_end_beep")
    random.Random(seed).shuffle(story)
    for news in story:
        tell(leg, news)
        assert told[-1] == live_call_card(with_people(Call.objects.filter(pk=leg.call_id)).get()), news


# ── The quick way of being accepted ─────────────────────────────────────────────────────────────────────────
def _asked() -> Leg:
    return Leg.objects.select_related("call__contact", "call__virtual_agent").get(pk=make_leg(LegState.REQUESTED).pk)


def test_a_leg_of_which_nothing_was_heard_is_accepted_at_once(django_assert_max_num_queries):
    leg, call_sid = _asked(), sid()
    with django_assert_max_num_queries(1):
        assert progress.leg_accepted_at_once(leg, call_sid)
    row = Leg.objects.get(pk=leg.pk)
    assert (row.state, row.carrier_call_id) == (LegState.QUEUED, call_sid)
    assert list(CallEvent.objects.filter(leg=leg).values_list("kind", flat=True)) == ["queued"]
    assert not progress.leg_accepted_at_once(leg, call_sid)


def test_news_a_wish_to_end_and_a_name_given_away_are_left_to_the_long_way():
    told = _asked()
    progress.leg_progressed(told.pk, LineNews(sid(), LineStatus.RINGING, at=at(1)))
    unwanted = _asked()
    ending.request_end(unwanted.call_id, reason=EndReason.STAFF_ENDED)
    put_back = _asked()
    Leg.objects.filter(pk=put_back.pk).update(requested_at=at(0))
    guessed, call_sid = _asked(), sid()
    make_leg(LegState.QUEUED, carrier_call_id=call_sid)
    before = {leg.pk: leg for leg in Leg.objects.all()}
    for leg, name in ((told, sid()), (unwanted, sid()), (put_back, sid()), (guessed, call_sid)):
        assert not progress.leg_accepted_at_once(leg, name)
        row = Leg.objects.get(pk=leg.pk)
        assert (row.state, row.carrier_call_id) == (before[leg.pk].state, before[leg.pk].carrier_call_id)
