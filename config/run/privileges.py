"""PostgreSQL refuses to run as root; when we are root, run it as somebody else.

Nothing on the machine is changed for it: no user is added and no directory is opened to others. Where the checkout
lies below a directory that only root may enter (/root itself, mostly), the server gets the one capability that lets it
through, instead of the directory being opened to everyone.
"""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from config.run.problem import Problem


@dataclass(frozen=True, slots=True)
class Account:
    """The account a server runs as, and the words to put before its command line."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Make the path this account's, so that the server may write there."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def account_for(*paths: Path) -> Account:
    """An account that is not root and reaches all the paths: our own, unless we are root.

    paths: existing directories. Raises Problem when there is no way to be such an account.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    user = _somebody(paths[0])
    reachable = all(_may_enter(path, user.pw_uid, user.pw_gid) for path in paths)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Problem(
            "PostgreSQL does not run as root, and `setpriv` (util-linux) to change the user is missing. "
            "Install util-linux, or run make as an ordinary user."
        )
    words = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not reachable:
        words += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        # Without this access(2), by which initdb looks for its siblings, would not count the capability.
        words += ["--securebits=+no_setuid_fixup"]
    return Account(user.pw_uid, user.pw_gid, tuple(words))


def _somebody(path: Path) -> pwd.struct_passwd:
    """The owner of the checkout where that is not root, else an account that every system has."""
    owner = path.stat().st_uid
    if owner != 0:
        try:
            return pwd.getpwuid(owner)
        except KeyError:
            pass  # a mounted directory whose owner is not known here
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Problem("PostgreSQL does not run as root, and there is no user `nobody`. Run make as an ordinary user.")


def _may_enter(path: Path, uid: int, gid: int) -> bool:
    """Whether the account may pass through every directory down to the path."""
    for step in (path, *path.parents):
        status = step.stat()
        if status.st_uid == uid:
            needed = stat.S_IXUSR
        elif status.st_gid == gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True
