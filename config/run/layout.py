"""Where things lie: the checkout, VAR_DIR and the files under it."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything a run writes stays below `var` (VAR_DIR, by default ./var)."""

    var: Path

    @classmethod
    def from_environment(cls) -> "Layout":
        return cls(Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve())

    def child(self, name: str) -> "Layout":
        """A layout of its own below this one, so that tests and benchmarks never meet a running demo."""
        return Layout(self.var / name)

    @property
    def secrets(self) -> Path:
        return self.var / "secrets"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def pids(self) -> Path:
        return self.var / "pids"

    @property
    def lock(self) -> Path:
        return self.var / "run.lock"

    @property
    def endpoints(self) -> Path:
        """URLs of the embedded servers that are up, for `python -m config.run env`."""
        return self.var / "endpoints.json"

    @property
    def demo_logins(self) -> Path:
        return self.var / "demo_logins.json"

    def create(self) -> None:
        """Make the directories; only the owner may look inside those that hold secrets and pids."""
        for path, mode in ((self.var, 0o755), (self.logs, 0o755), (self.pids, 0o700), (self.secrets, 0o700)):
            path.mkdir(mode=mode, parents=True, exist_ok=True)
