"""What a failing test says about its database: text for a person who has never seen kroft."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_kroft.model.history import History
from pytest_kroft.model.narration import Narration, narrate
from pytest_kroft.postgres.script import script
from pytest_kroft.postgres.uri import without_password

LAST = 12
"""How many operations a report shows of any history, the latest ones."""
MOST = 40
"""How many it shows of the smallest history that fails."""


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
        draws_anew: Whether a search chose the history, and chooses another in each run.
        replayed: Whether the test was run on the history of a file.
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
    draws_anew: bool = False
    replayed: bool = False
    others: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The line for a shell that runs the test again from its seed."""
        return self._command("--kroft-seed", None if self.by_marker else str(self.base_seed))

    def replaying(self, history: str) -> str:
        """The line for a shell that runs the test again on a saved history."""
        return self._command("--kroft-replay", history)

    def _command(self, name: str, value: str | None) -> str:
        options = {
            name: value,
            "--kroft-server": self.server,
            "--kroft-dsn": without_password(self.dsn) if self.dsn else None,
            **self.others,
        }
        given = [f"{name}={value}" for name, value in options.items() if value]
        return shlex.join(["pytest", *filter(None, [self.test]), *given])

    def seed_words(self, seed: int) -> str:
        """Where the seed of one of the test's databases comes from."""
        if self.draws_anew:
            return f"{seed}, the same in every run; --kroft-seed=N fixes what Hypothesis draws, too"
        if self.replayed:
            return f"{seed}, that of the replayed history"
        if seed != self.own_seed:
            return f"{seed}, given by the " + (f"fixture {self.fixture!r}" if self.fixture else "test")
        if self.by_marker:
            return f"{seed}, given by the marker"
        whose = f"that of the fixture {self.fixture!r}" if self.fixture else "this test's own"
        return f"--kroft-seed={self.base_seed} ({whose}: {seed})"


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search tells of the smallest failing history that it found; None for what it does not know.

    Args:
        title: What the history is called.
        example: Which example was the first to fail, counted from 1.
        of: How many examples there were to be.
        shrunk_from: How many operations the first history that failed had.
        begins: How many operations were done before the test itself began.
    """

    title: str = "The smallest history that fails"
    example: int | None = None
    of: int | None = None
    shrunk_from: int | None = None
    begins: int = 0

    @property
    def words(self) -> str:
        """What is known, to stand behind a title: `` (example 23 of 200, shrunk from 31)``."""
        which = "" if self.example is None else f"example {self.example}"
        if which and self.of is not None:
            which += f" of {self.of}"
        shrunk = "" if self.shrunk_from is None else f"shrunk from {self.shrunk_from}"
        known = ", ".join(filter(None, [which, shrunk]))
        return f" ({known})" if known else ""


@dataclass(frozen=True, slots=True)
class _Saved:
    """A file of the report: its path as short as it works from where the run was started, or why not."""

    path: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return self.path or f"could not be saved: {self.reason}"


def failure_section(
    history: History,
    path: Path,
    run: Run,
    reach: str = "",
    stop: str = "",
    *,
    searched: Searched | None = None,
    failure: str | None = None,
) -> str:
    """Save a failed test's history and say what happened and how to do it again.

    Args:
        history: What was done to the database.
        path: Where to save it, as JSON lines and as SQL; the suffixes are added.
        run: How the test was run.
        reach: A libpq URI of the database, where it is kept; a password in it is not shown.
        stop: The command that stops the server, where it is kept for this alone.
        searched: What the search knows, where the history is the smallest that it found.
        failure: The error's message; its first line is shown with the last operation.
    """
    jsonl, sql = path.with_name(f"{path.name}.jsonl"), path.with_name(f"{path.name}.sql")
    files = (
        _saved(lambda: history.save(jsonl), jsonl, run),
        _saved(lambda: sql.write_text(script(history), encoding="utf-8"), sql, run),
    )
    seed = run.seed_words(history.seed)
    facts = {
        **(_of_smallest(run, seed, *files) if searched else _of_seeded(run, seed, *files)),
        "database": f"psql {shlex.quote(without_password(reach))}" if reach else "",
        "stop it": stop,
    }
    told = narrate(history, failure, searched.begins if searched else 0)
    paragraphs = [
        *(smallest(told, searched) if searched else latest(told)),
        [f"{fact:<9} {text}" for fact, text in facts.items() if text],
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def latest(told: Narration) -> list[list[str]]:
    """The latest operations of any history in plain words, and what hazards it holds: paragraphs of lines."""
    total = len(told)
    if not total:
        return [["Nothing was done to the database."]]
    if total > LAST:
        return [[f"The last {LAST} of {total} operations:"], told.lines(LAST), told.names()]
    title = f"All {total} operations:" if total > 1 else "The only operation:"
    return [[title], told.lines(LAST), told.sentences()]


def smallest(told: Narration, searched: Searched) -> list[list[str]]:
    """The smallest history that fails, and what the hazards that it holds break: paragraphs of lines."""
    total = len(told)
    if not total:
        return [[f"It fails before anything is done to the database{searched.words}."]]
    count = "1 operation" if total == 1 else f"{total} operations"
    title = f"{searched.title}: {count}{searched.words}"
    if total > MOST:
        title += f"; the last {MOST}:"
    return [[title], told.lines(MOST, summed_up=True), told.sentences()]


def _of_seeded(run: Run, seed: str, history: _Saved, sql: _Saved) -> dict[str, str]:
    return {"seed": seed, "again": run.command, "history": str(history), "as SQL": str(sql)}


def _of_smallest(run: Run, seed: str, history: _Saved, sql: _Saved) -> dict[str, str]:
    """How to have a history again that no seed gives."""
    facts = {"history": str(history), "as SQL": str(sql), "seed": seed}
    if history.path:
        load = f"History.load({json.dumps(history.path, ensure_ascii=False)})"
        del facts["history"]
        facts = {
            "again": run.replaying(history.path),
            "in code": f"for _ in kroft_db.play({load}): ...",
            **facts,
        }
    if sql.path:
        facts["as SQL"] = f"psql -v ON_ERROR_STOP=1 -f {shlex.quote(sql.path)}"
    return facts


def _saved(save: Callable[[], object], path: Path, run: Run) -> _Saved:
    try:
        save()
    except Exception as error:  # noqa: BLE001  (the user's own generators may fail too, and the report must come)
        return _Saved(reason=str(error))
    return _Saved(str(path.relative_to(run.started_in) if path.is_relative_to(run.started_in) else path))
