"""What a failing test says about its database: text for a person who has never seen kroft."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.describe import describe
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Insert, Operation, Update
from pytest_kroft.model.state import State
from pytest_kroft.postgres.script import script
from pytest_kroft.postgres.uri import without_password

LAST = 12
"""How many operations a report shows, the latest ones."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a test was run: all that it takes to run it again.

    Args:
        test: The test as pytest's command line names it, from where the run was started. For a database of a
            fixture with a wider scope: the tests of that scope, and nothing for all of them.
        started_in: Where that was; paths are shown from there.
        base_seed: The seed of the run.
        own_seed: The seed of the test, or of the fixtures of that scope.
        by_marker: Whether the test's marker gave the seed.
        fixture: The fixture with a wider scope that opened the database, if one did.
        server: The option --kroft-server, where it was given.
        dsn: The option --kroft-dsn, where it was given; a password in it is not shown.
        others: Options of pytest itself that decide how tests are named.
    """

    test: str
    started_in: Path
    base_seed: int
    own_seed: int
    by_marker: bool = False
    fixture: str = ""
    server: str | None = None
    dsn: str | None = None
    others: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The line for a shell that runs the test again."""
        options = {
            "--kroft-seed": None if self.by_marker else str(self.base_seed),
            "--kroft-server": self.server,
            "--kroft-dsn": without_password(self.dsn) if self.dsn else None,
            **self.others,
        }
        given = [f"{name}={value}" for name, value in options.items() if value]
        return shlex.join(["pytest", *filter(None, [self.test]), *given])

    def seed_words(self, seed: int) -> str:
        """Where the seed of one of the test's databases comes from."""
        if seed != self.own_seed:
            return f"{seed}, given by the " + (f"fixture {self.fixture!r}" if self.fixture else "test")
        if self.by_marker:
            return f"{seed}, given by the marker"
        whose = f"that of the fixture {self.fixture!r}" if self.fixture else "this test's own"
        return f"--kroft-seed={self.base_seed} ({whose}: {seed})"


def failure_section(history: History, path: Path, run: Run, reach: str = "", stop: str = "") -> str:
    """Save a failed test's history and say what happened and how to do it again.

    Args:
        history: What was done to the database.
        path: Where to save it, as JSON lines and as SQL; the suffixes are added.
        run: How the test was run.
        reach: A libpq URI of the database, where it is kept; a password in it is not shown.
        stop: The command that stops the server, where it is kept for this alone.
    """
    jsonl, sql = path.with_name(f"{path.name}.jsonl"), path.with_name(f"{path.name}.sql")
    facts = {
        "seed": run.seed_words(history.seed),
        "again": run.command,
        "history": _saved(lambda: history.save(jsonl), jsonl, run),
        "as SQL": _saved(lambda: sql.write_text(script(history), encoding="utf-8"), sql, run),
        "database": f"psql {shlex.quote(without_password(reach))}" if reach else "",
        "stop it": stop,
    }
    lines = [*last_operations(history), "", *(f"{fact:<9} {text}" for fact, text in facts.items() if text)]
    return "\n".join(lines)


def last_operations(history: History) -> list[str]:
    """The latest operations in plain words, numbered from the first."""
    total = len(history)
    if not total:
        return ["Nothing was done to the database."]
    words = _words(history)
    start = max(total - LAST, 0)
    title = (
        f"The last {LAST} of {total} operations"
        if start
        else f"All {total} operations"
        if total > 1
        else "The only operation"
    )
    width = len(str(total))
    return [
        f"{title}:",
        "",
        *(f"  {start + place:>{width}}  {text}" for place, text in enumerate(words[start:], start=1)),
    ]


def _words(history: History) -> list[str]:
    try:
        states = list(history.states())
    except HistoryError:
        # A report must come through whatever state a history is in.
        return [describe(operation) for operation in history]
    stamped: dict[tuple[str, int], int] = {}
    return [
        describe(op, after if isinstance(op, Insert) else before) + _tie(op, after, stamped, number)
        for number, (before, op, after) in enumerate(states, start=1)
    ]


def _tie(operation: Operation, after: State, stamped: dict[tuple[str, int], int], number: int) -> str:
    """Which operation before this one gave rows of the same table the same stamp, if any did."""
    if not isinstance(operation, Insert | Update) or after.table(operation.table).updated_at is None:
        return ""
    first = stamped.setdefault((operation.table, operation.stamp), number)
    return f", as in {first}" if first != number else ""


def _saved(save: Callable[[], object], path: Path, run: Run) -> str:
    """The path as short as it works from where the run was started, once the file is there."""
    try:
        save()
    except Exception as error:  # noqa: BLE001  (the user's own generators may fail too, and the report must come)
        return f"could not be saved: {error}"
    return str(path.relative_to(run.started_in) if path.is_relative_to(run.started_in) else path)
