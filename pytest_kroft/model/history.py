"""The record of everything done to one database: saved and loaded as JSON lines.

The first line is a header; each other line is one operation. A saved history is literal, so that
another version of Faker, or a missing generator, does not change what it replays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from pytest_kroft.errors import DefinitionError, HistoryError, OperationError
from pytest_kroft.model.check import check
from pytest_kroft.model.codec import decode, encode
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Insert, Operation, Update
from pytest_kroft.model.sessions import seen
from pytest_kroft.model.state import State

FORMAT = 1
_HEADER = {"kroft", "seed", "test", "faker", "calls"}


@dataclass
class Call:
    """One call that planned operations, as the test's body made it: ``mutations.update(orders, count=3)``.

    ``places`` are the indexes of its operations in the history. Where kroft decided what the call does,
    it is ``drawn``, and a search may leave operations out; else it says what the test wants done.
    """

    name: str
    drawn: bool = False
    places: list[int] = field(default_factory=list)


@dataclass
class History:
    """The operations of one database in order, with the seed and, under pytest, the test they belong to.

    ``calls`` says which call of the test made which operations, so that a replay can give each its own.
    """

    seed: int
    test: str | None = None
    operations: list[Operation] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list, compare=False)

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    @overload
    def __getitem__(self, index: int) -> Operation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Operation]: ...

    def __getitem__(self, index: int | slice) -> Operation | list[Operation]:
        return self.operations[index]

    def append(self, operation: Operation) -> None:
        """Record one more operation."""
        self.operations.append(operation)

    def without(self, places: Collection[int]) -> History:
        """The history with the operations at some indexes left out; its calls keep the others."""
        kept = [index for index in range(len(self.operations)) if index not in places]
        moved = {old: new for new, old in enumerate(kept)}
        calls = [
            replace(call, places=[moved[place] for place in call.places if place in moved])
            for call in self.calls
        ]
        return replace(self, operations=[self.operations[index] for index in kept], calls=calls)

    def states(self) -> Iterator[tuple[State, Operation, State]]:
        """Each operation with the states before and after it.

        Raises HistoryError, with the line that it has in a file, for an operation that does not apply.
        """
        state = State(self.seed)
        # Line 1 of a file is the header.
        for line, operation in enumerate(self.operations, start=2):
            try:
                check(state, operation)
            except (OperationError, DefinitionError) as error:
                raise HistoryError(str(error), line=line) from error
            after = apply(state, operation)
            yield state, operation, after
            state = after

    def literal(self) -> History:
        """The same history with every cell written down."""
        return replace(self, operations=[literal(op, after) for _, op, after in self.states()])

    def lines(self, *, literal: bool = True) -> list[str]:
        """The history as JSON lines, without line ends."""
        header: dict[str, Any] = {"kroft": FORMAT, "seed": self.seed, "test": self.test}
        if self.calls:
            header["calls"] = [_dump_call(call) for call in self.calls]
        if not literal:
            header["faker"] = _faker_version()
        operations = self.literal() if literal else self
        callers = {place: number for number, call in enumerate(self.calls) for place in call.places}
        encoded = [encode(operation) for operation in operations]
        for place, number in callers.items():
            encoded[place]["call"] = number
        return [_dump(header), *map(_dump, encoded)]

    def save(self, path: str | Path, *, literal: bool = True) -> Path:
        """Write the history to a file as JSON lines and return its path.

        With ``literal=False`` cells stay functions of the seed: a small file, which a replay needs the
        same generators and the Faker version named in the header for.
        """
        target = Path(path)
        target.write_text("\n".join(self.lines(literal=literal)) + "\n", encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read a history from a file; raises HistoryError naming the line and what is wrong in it."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HistoryError(f"the history cannot be read: {error}", source=str(path)) from None
        try:
            # Not splitlines(), which also ends a line at characters that JSON leaves as they are.
            return cls.parse(text.removesuffix("\n").split("\n") if text else [])
        except HistoryError as error:
            raise HistoryError(error.reason, line=error.line, source=str(path)) from None

    @classmethod
    def parse(cls, lines: Iterable[str]) -> History:
        """The history that JSON lines stand for, every operation of which applies.

        Raises HistoryError naming the line and what is wrong in it.
        """
        numbered = [(number, _parse_line(number, line)) for number, line in enumerate(lines, start=1)]
        if not numbered:
            raise HistoryError("the history is empty; its first line must be a header", line=1)
        history = _parse_header(numbered[0][1])
        for number, data in numbered[1:]:
            try:
                _take_call(history, data)
                history.append(decode(data))
            except HistoryError as error:
                raise HistoryError(error.reason, line=number) from None
        for _ in history.states():
            pass
        return history


def literal(operation: Operation, after: State) -> Operation:
    """An insert or update with every cell that it writes given as text; any other operation as it is."""
    if not isinstance(operation, Insert | Update):
        return operation
    after = seen(after, operation.session)
    table = after.table(operation.table)
    if isinstance(operation, Insert):
        written = [column for column in table.columns if not column.computed]
        numbers: Iterable[int] = range(operation.first, operation.first + operation.count)
    else:
        stamped = table.updated_at.name if table.updated_at else None
        written = [column for column in table.columns if column.name in (*operation.columns, stamped)]
        numbers = operation.rows
    rows = [table.rows[number] for number in numbers]
    readers = [(column.name, after.reader(table, column)) for column in written]
    return replace(operation, cells={name: tuple(map(read, rows)) for name, read in readers}, parents={})


def _dump(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(", ", ": "))


def _parse_line(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"this is no JSON: {error}", line=number) from None


def _parse_header(header: Any) -> History:
    if not isinstance(header, dict) or "kroft" not in header:
        raise HistoryError('this is no header of a history, such as {"kroft": 1, "seed": 7}', line=1)
    # bool is a subclass of int: true equals 1.
    if type(header["kroft"]) is not int or header["kroft"] != FORMAT:
        raise HistoryError(f"the format is {header['kroft']!r}, and this version reads {FORMAT}", line=1)
    if unknown := set(header) - _HEADER:
        raise HistoryError(f"the header has no field {min(unknown)!r}", line=1)
    seed, test = header.get("seed"), header.get("test")
    if type(seed) is not int or seed < 0 or not isinstance(test, str | None):
        raise HistoryError("the header needs a seed, a whole number from 0, and may name a test", line=1)
    return History(seed, test, calls=_parse_calls(header.get("calls", [])))


def _dump_call(call: Call) -> dict[str, Any]:
    return {"call": call.name, "drawn": True} if call.drawn else {"call": call.name}


def _parse_calls(data: Any) -> list[Call]:
    calls = []
    for item in data if isinstance(data, list) else [data]:
        drawn = item.get("drawn", False) if isinstance(item, dict) else None
        if not isinstance(drawn, bool) or not isinstance(item.get("call"), str):
            raise HistoryError(
                f'a call of the header must be like {{"call": "stream()"}}, not {item!r}', line=1
            )
        calls.append(Call(item["call"], drawn))
    return calls


def _take_call(history: History, data: Any) -> None:
    """Note which call the next operation belongs to, and take that out of its data."""
    number = data.pop("call", None) if isinstance(data, dict) else None
    if number is None:
        return
    if type(number) is not int or not 0 <= number < len(history.calls):
        raise HistoryError(f"there is no call {number!r}; the header has {len(history.calls)}, from 0")
    history.calls[number].places.append(len(history))


def _faker_version() -> str:
    from importlib.metadata import version

    return version("faker")
