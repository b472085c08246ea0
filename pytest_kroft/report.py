"""What a failing test says about its database: text for a person who has never seen kroft."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.describe import describe
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Insert
from pytest_kroft.postgres.script import script

LAST = 12
"""How many operations a report shows, the latest ones."""


@dataclass(frozen=True, slots=True)
class Again:
    """How to run a test again, and how to reach what it left behind."""

    command: str
    seed: str
    reach: str = ""
    stop: str = ""


def failure_section(history: History, folder: Path, name: str, again: Again) -> str:
    """Save a failed test's history under ``folder`` and say what happened and how to do it again."""
    facts = {
        "seed": again.seed,
        "again": again.command,
        "history": str(_shown(history.save(folder / f"{name}.jsonl"))),
        "as SQL": str(_shown(_save_script(history, folder / f"{name}.sql"))),
        "database": again.reach,
        "stop it": again.stop,
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
    title = f"The last {LAST} of {total} operations" if start else f"All {total} operations"
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
    return [describe(op, after if isinstance(op, Insert) else before) for before, op, after in states]


def _save_script(history: History, path: Path) -> Path:
    path.write_text(script(history), encoding="utf-8")
    return path


def _shown(path: Path) -> Path:
    """The path as short as it works from where the run was started."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
