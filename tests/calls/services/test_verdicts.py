"""A reviewer knows better who picked up."""

import pytest

from apps.calls.models import CallEvent
from apps.calls.services.verdicts import NobodyPickedUp, UnknownVerdict, correct_verdict
from apps.calls.signals import outcome_corrected
from tests.factories.accounts import make_user
from tests.factories.calls import make_ended_call

pytestmark = pytest.mark.django_db


@pytest.fixture
def call():
    return make_ended_call()


def test_a_correction_sets_verdict_and_outcome_and_is_told(call, django_capture_on_commit_callbacks):
    heard = []

    def hear(sender, *, call_id, **_kwargs):
        heard.append(call_id)

    outcome_corrected.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        correct_verdict(call.pk, "voicemail", by=make_user(role="supervisor"))
        correct_verdict(call.pk, "voicemail", by=make_user(role="supervisor"))
    outcome_corrected.disconnect(hear)
    call.refresh_from_db()
    assert (call.answer_verdict, call.outcome) == ("voicemail", "voicemail")
    assert call.legs.get().outcome == "voicemail"
    assert heard == [call.pk]
    assert CallEvent.objects.filter(call=call, kind="verdict_corrected").count() == 1


def test_a_person_was_there_after_all(call):
    correct_verdict(call.pk, "voicemail", by=make_user(role="supervisor"))
    assert correct_verdict(call.pk, "human", by=make_user(role="supervisor")).outcome == "answered"


def test_what_cannot_be_corrected_is_refused(call):
    with pytest.raises(UnknownVerdict):
        correct_verdict(call.pk, "alien", by=make_user(role="supervisor"))
    unanswered = make_ended_call("busy")
    with pytest.raises(NobodyPickedUp):
        correct_verdict(unanswered.pk, "human", by=make_user(role="supervisor"))
