"""Which worker gets which file of the suite."""

from collections import OrderedDict

import pytest

from tests.distribution import LONGEST, Scheduling


class Worker:
    """What a scheduler sees of a worker: it is told the places of tests in its collection."""

    shutting_down = False

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, places: list[int]) -> None:
        self.given.extend(places)


@pytest.fixture
def scheduling():
    class Workers(Scheduling):
        def __init__(self, files: list[str]) -> None:
            self.workqueue = OrderedDict((file, {f"{file}::test": False}) for file in files)
            self.assigned_work = {}
            self.registered_collections = {}
            self._tests = [f"{file}::test" for file in files]

        def give(self, worker: Worker) -> str:
            self.registered_collections[worker] = self._tests
            self._assign_work_unit(worker)
            return self._tests[worker.given[-1]].removesuffix("::test")

    return Workers


def test_the_longest_file_is_begun_first(scheduling):
    queue = scheduling(["tests/core/test_many.py", LONGEST[1], LONGEST[0]])
    worker = Worker()
    assert [queue.give(worker) for _ in range(3)] == [LONGEST[0], LONGEST[1], "tests/core/test_many.py"]


def test_a_worker_stays_with_its_product_while_there_are_files_for_it(scheduling):
    drills = ["tests/drills/test_a.py", "tests/drills/test_b.py"]
    journeys = ["tests/e2e/test_a.py", "tests/e2e/test_b.py", "tests/e2e/test_c.py"]
    queue = scheduling([drills[0], *journeys, drills[1]])
    one, other = Worker(), Worker()
    assert [queue.give(one), queue.give(other)] == [drills[0], journeys[0]]
    assert [queue.give(one), queue.give(one)] == [drills[1], journeys[1]]
    assert queue.give(other) == journeys[2]


def test_other_files_are_taken_as_they_come(scheduling):
    files = ["tests/core/test_a.py", "tests/calls/test_b.py", "tests/core/test_c.py"]
    queue, worker = scheduling(files), Worker()
    assert [queue.give(worker) for _ in files] == files


def test_what_is_said_to_be_long_is_there(request):
    assert [file for file in LONGEST if not (request.config.rootpath / file).is_file()] == []
