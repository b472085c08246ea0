"""A history told to a person: its operations in words, what is odd about each, the hazards it holds."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_kroft.errors import KroftError, listing
from pytest_kroft.model.describe import SHOWN, describe
from pytest_kroft.model.diagnosis import diagnose, hazard_names
from pytest_kroft.model.given import given_on_purpose
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, CreateType, Insert, Operation, Update
from pytest_kroft.model.state import Text
from pytest_kroft.model.transactions import Step, steps

WIDTH = 100
"""How long a line of prose is; the lines of operations are as long as they are."""
LONGEST = 64
"""Words that are longer than this do not move the notes of the other lines to the right."""
LONGEST_VALUE = 32
"""A longer value is cut, and its length is said."""
_BARE = ("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "date")
"""The types whose values are read without quotes."""
BEGINS = "here the test itself begins"
OPENING = 3
"""So many tables and types that are made at first are told in one line."""


@dataclass(frozen=True)
class Narration:
    """The words and the notes of each operation, and the names of the hazards in all of them."""

    operations: Sequence[Operation]
    words: list[str]
    notes: list[list[str]] = field(default_factory=list)
    hazards: list[str] = field(default_factory=list)

    def lines(self, last: int, *, summed_up: bool = False) -> list[str]:
        """The latest operations, numbered from the first of all; notes stand to the right.

        ``summed_up``: several tables and types that are made at the beginning take one line.
        """
        start = max(len(self.words) - last, 0)
        entries = [
            (str(place + 1), self.words[place], self.notes[place]) for place in range(start, len(self))
        ]
        opening = _opening(self.operations)
        if summed_up and not start and opening >= OPENING:
            notes = [note for noted in self.notes[:opening] for note in noted]
            entries[:opening] = [(f"1-{opening}", _made(self.operations[:opening]), notes)]
        number = max((len(label) for label, _, _ in entries), default=0)
        column = max((len(words) for _, words, _ in entries if len(words) <= LONGEST), default=0)
        return [
            f"  {label:>{number}}  {words:<{column}}    {'; '.join(notes)}".rstrip()
            if notes
            else f"  {label:>{number}}  {words}"
            for label, words, notes in entries
        ]

    def __len__(self) -> int:
        return len(self.words)

    def sentences(self) -> list[str]:
        """What each hazard that the history holds breaks in consumers."""
        told = [f"{name}: {_lowered(HAZARDS[name].breaks)}" for name in self.hazards]
        return [line for text in told for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ")]

    def names(self) -> list[str]:
        """The hazards that the history holds, in one line at most."""
        line = f"Hazards in all {len(self)}: {listing(self.hazards)}"
        return [textwrap.shorten(line, WIDTH, placeholder=" ...")] if self.hazards else []


def narrate(history: History, failure: str | None = None, begins: int = 0) -> Narration:
    """Tell a history; the first line of a failure's message is a note of its last operation.

    ``begins`` is how many operations set-up did: where rows were among them, the next one is noted.

    A history that does not apply is told too, in plainer words.
    """
    operations = list(history)
    try:
        taken = list(steps(history))
        found = diagnose(taken)
        words = [_words(step) for step in taken]
    except KroftError:
        # A report must come through whatever state a history is in.
        taken, found, words = [], [], [describe(operation) for operation in operations]
    notes: list[list[str]] = [[] for _ in words]
    for one in found:
        notes[one.place] += [one.note] if one.note else []
    if 0 < begins < len(notes) and any(isinstance(op, Insert) for op in operations[:begins]):
        notes[begins].insert(0, BEGINS)
    if failure is not None and notes:
        notes[-1].append(_failing(failure))
    return Narration(operations, words, notes, hazard_names(found))


def _failing(failure: str) -> str:
    first = next((line.strip() for line in failure.splitlines() if line.strip()), "")
    return f"fails: {textwrap.shorten(first, WIDTH, placeholder=' ...')}" if first else "fails"


def _words(step: Step) -> str:
    """An operation in words, with the values that it was given on purpose."""
    operation = step.operation
    words = describe(operation, step.after if isinstance(operation, Insert) else step.before)
    if not isinstance(operation, Insert | Update):
        return words
    given = given_on_purpose(step.after, operation)
    table = step.after.table(operation.table)
    shown = [
        f"{name} {_shown(texts, bare=table.column(name).type.name in _BARE)}"
        for name, texts in list(given.items())[:SHOWN]
    ]
    more = [f"and {len(given) - SHOWN} more columns"] if len(given) > SHOWN else []
    return "; ".join([words, *([", ".join([*shown, *more])] if shown else [])])


def _shown(texts: tuple[Text, ...], *, bare: bool) -> str:
    """The cells of a column, once where all rows have the same."""
    if len(set(texts)) == 1:
        return _value(texts[0], bare=bare)
    more = ["..."] if len(texts) > SHOWN else []
    return " | ".join([*(_value(text, bare=bare) for text in texts[:SHOWN]), *more])


def _value(text: Text, *, bare: bool) -> str:
    """A value on one line: what cannot be seen in it is escaped, and what is long is cut."""
    if text is None:
        return "NULL"
    if bare and len(text) <= LONGEST_VALUE:
        return text
    cut = repr(text[:LONGEST_VALUE])
    return cut if len(text) <= LONGEST_VALUE else f"{cut}... ({len(text)} characters)"


def _opening(operations: Sequence[Operation]) -> int:
    """How many operations at the beginning only make tables and types."""
    for count, operation in enumerate(operations):
        if not isinstance(operation, CreateTable | CreateType):
            return count
    return len(operations)


def _made(operations: Iterable[Operation]) -> str:
    made = [op for op in operations if isinstance(op, CreateTable | CreateType)]
    words = {"adopt": [op.definition.name for op in made if op.adopted],
             "create": [op.definition.name for op in made if not op.adopted]}  # fmt: skip
    return ", ".join(f"{verb} {listing(names)}" for verb, names in words.items() if names)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
