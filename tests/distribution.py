"""Which worker of pytest-xdist gets which file: the longest first, and files that need the same processes together."""

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# A file is one piece of work, and the run lasts at least as long as the longest of them.
LONGEST = (
    "tests/e2e/test_demo_campaign.py",
    "tests/e2e/test_live.py",
    "tests/drills/test_kill.py",
    "tests/drills/test_cells.py",
    "tests/drills/test_kill_media.py",
    "tests/e2e/test_frame.py",
    "tests/e2e/test_journeys.py",
    "tests/calls/test_consumers.py",
    "tests/test_permissions.py",
)
# Their files share a running product, which takes ten seconds to start: a worker stays with one kind while it can.
WITH_A_PRODUCT = (PurePosixPath("tests/e2e"), PurePosixPath("tests/drills"))


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # comes without types
    """As pytest-xdist's ``--dist loadfile``, in a better order."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        earlier = [PurePosixPath(file).parent for file in self.assigned_work.get(node, ())]
        product = earlier[-1] if earlier and earlier[-1] in WITH_A_PRODUCT else None

        def rank(file: str) -> tuple[bool, int]:
            is_elsewhere = product is not None and PurePosixPath(file).parent != product
            return is_elsewhere, LONGEST.index(file) if file in LONGEST else len(LONGEST)

        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)
