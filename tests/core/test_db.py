from functools import partial

import pytest
from django.db import transaction

from apps.core.db import after_commit

pytestmark = pytest.mark.django_db(transaction=True)


def _fail() -> None:
    raise ConnectionError("the broker is away")


@pytest.mark.parametrize("work", [_fail, partial(_fail)])
def test_what_fails_after_a_commit_fails_alone(work, caplog):
    done = []
    with transaction.atomic():
        after_commit(work)
        after_commit(done.append, "the rest")
        assert done == []
    assert done == ["the rest"]
    assert "the broker is away" in caplog.text


def test_without_a_transaction_it_happens_at_once(caplog):
    done = []
    after_commit(_fail)
    after_commit(done.append, 1)
    assert done == [1]


def test_nothing_follows_a_rollback():
    done = []
    with transaction.atomic():
        after_commit(done.append, 1)
        transaction.set_rollback(True)
    assert done == []
