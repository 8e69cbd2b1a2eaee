"""Who runs the database server, and where its data may lie.

PostgreSQL refuses to run as root. Started by root it runs as an existing unprivileged account, which must be able to reach the
binaries and the data; folders that we did not make keep their permissions.
"""

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from deploy.servers.process import ServerError

_SYSTEM_DATA = Path("/var/lib/mpp")


@dataclass(frozen=True)
class Account:
    """User and group ids of a server's process."""

    uid: int
    gid: int


def server_account(data: Path | None = None) -> Account | None:
    """The account to switch to: None (stay) unless we are root, else the owner of existing `data`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if data is not None and data.exists():
        owner = data.stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ServerError("PostgreSQL does not run as root, and this machine has no account `nobody`: start as another user.") from None
    return Account(entry.pw_uid, entry.pw_gid)


class Switch(TypedDict, total=False):
    """The arguments of subprocess.Popen that change the account."""

    user: int
    group: int
    extra_groups: list[int]


def switch(account: Account | None) -> Switch:
    """Arguments for subprocess that run the child as this account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account may enter this folder or execute this file.

    The kernel is asked by a process of that account: mode bits alone do not know access lists and mount options.
    """
    if account is None:
        return os.access(path, os.X_OK)
    try:
        probe = subprocess.run(["/usr/bin/test", "-x", str(path)], cwd="/", check=False, **switch(account))
    except PermissionError:
        return False
    return probe.returncode == 0


def make_folder(folder: Path, account: Account | None) -> None:
    """Create the folder and missing parents, so that the account can pass through those created here.

    Existing folders are left as they are.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o700 if account is None else 0o711)


def default_data_dir(checkout: Path) -> Path:
    """Where a checkout keeps the data of its private servers.

    `<checkout>/.mpp`; for root, when the server's account cannot get there (a checkout below /root), `/var/lib/mpp/<8 hex digits>`
    with digits that belong to the checkout's path.
    """
    checkout = checkout.resolve()
    account = server_account()
    if account is None or can_reach(checkout, account):
        return checkout / ".mpp"
    return _SYSTEM_DATA / hashlib.sha256(os.fsencode(checkout)).hexdigest()[:8]
