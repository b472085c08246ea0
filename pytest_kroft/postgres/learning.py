"""What rows a table accepts, learnt once by trying them on the server.

Some rules cannot be read: a CHECK that calls a function, a trigger that raises. For the tables that have
such a rule, rows are tried in a transaction that is rolled back. What is found becomes part of the
definitions: a style or samples for a column, or columns that hold no NULL or are kept apart. So planning
stays pure. The same catalog always leads to the same definitions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from typing import Any

import psycopg

from pytest_kroft.errors import KroftError
from pytest_kroft.model.columns import ColumnDefinition, has_order
from pytest_kroft.model.generators.styles import styles_for
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.candidates import (
    Cell,
    Labels,
    cells_for,
    combinations,
    draft,
    drafted,
    may_be_null,
    thinned,
)
from pytest_kroft.postgres.introspection import asking
from pytest_kroft.postgres.reluctance import reluctant
from pytest_kroft.postgres.rules import Rejection, Rule, Rules, rules_of
from pytest_kroft.postgres.trials import Row, laboratory, table_sql, try_rows

MOST_SAMPLES, MOST_DISTINCT_SAMPLES = 64, 600
_ROWS, _SCREENED = 120, 8
_TUPLES = 2600
_MOST_TRIALS = 8_000
"""So many rows are tried for one table at most; a server refuses some thousands in a second."""
_ROUNDS = 30
_MOST_COLUMNS = 5
_PAIRS, _MANY_STYLES = 64, 10
"""So many styles of several columns are tried together, where each of them has fewer than so many."""
_READS_THE_ROW = re.compile(r"\bnew\b", re.IGNORECASE)
"""A trigger whose function does not look at the row refuses every row alike."""
A_PARENT = ""
"""What stands for a parent's key among the samples of a foreign key's column."""

Tuple = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule whose rows could not be found: its table, what it is called, and what the server says.

    ``columns`` are those that it mentions, as far as that is known.
    """

    table: str
    rule: str
    said: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The refusal as a sentence that says what to do."""
        named = "column " + " or ".join(map(repr, self.columns)) if self.columns else "the columns it reads"
        return (
            f"table {self.table!r} refuses kroft's rows: {self.rule} ({self.said}); "
            f"give a generator for {named}"
        )


@dataclass(frozen=True, slots=True)
class Learnt:
    """The definitions with what was learnt, in the order in which they were given, and what was refused."""

    definitions: tuple[TableDefinition, ...]
    refused: tuple[Refusal, ...] = ()


def learn(
    connection: psycopg.Connection[Any],
    tables: Sequence[TableDefinition],
    suspects: Collection[str],
    labels: Labels | None = None,
) -> Learnt:
    """Learn how to make rows that the server accepts.

    Args:
        connection: A session in a clone of the database that nobody else needs; sequences move in it.
        tables: The definitions, as they were adopted.
        suspects: The names of those that have a rule which was not understood. The others are not tried.
        labels: The labels of enums, by the type's name as a column definition has it.

    Raises KroftError where the session fails; no row and no rule is a reason for that.
    """
    suspected = [table for table in tables if table.name in suspects]
    learnt: dict[str, TableDefinition] = {}
    refused: list[Refusal] = []
    if suspected:
        with asking(connection.info.dbname):
            rules = [rules_of(connection, table_sql(table)) for table in suspected]
        with asking(connection.info.dbname), laboratory(connection, suspected):
            for table, known in zip(suspected, rules, strict=True):
                student = _Student(connection, table, known, labels or {})
                learnt[table.name] = student.learn()
                refused += student.refused
                if table.triggers and not student.refused:
                    learnt[table.name] = student.reluctant()
    return Learnt(tuple(learnt.get(table.name, table) for table in tables), tuple(refused))


class _Student:
    """Learns the rules of one table, in the order in which the server asks them."""

    def __init__(
        self, connection: psycopg.Connection[Any], table: TableDefinition, rules: Rules, labels: Labels
    ) -> None:
        self._connection, self._table, self._rules, self._labels = connection, table, rules, labels
        self._left = _MOST_TRIALS
        self._groups: list[Rule] = []
        self.refused: list[Refusal] = []

    def learn(self) -> TableDefinition:
        """The definition with what was learnt; ``refused`` then says what could not be."""
        said: Rejection | None = None
        rule: Rule | None = None
        try:
            for _ in range(_ROUNDS):
                rejections = self._refused(self._table, _ROWS)
                if not rejections:
                    return self._table
                said = min(rejections, key=lambda rejection: (self._blamed(rejection).rank, rejection.place))
                rule = self._blamed(said)
                found = next(self._solutions(rule, said), None)
                if found is None:
                    break
                self._groups.append(replace(rule, columns=_touched(rule, self._table, found)))
                self._table = found
        except KroftError as error:
            self.refused.append(Refusal(self._table.name, "no row could be made", str(error)))
        except psycopg.errors.QueryCanceled as error:
            self.refused.append(
                Refusal(self._table.name, "the rows took too long", str(error).splitlines()[0])
            )
        if rule and said and not self.refused:
            self.refused.append(Refusal(self._table.name, rule.name, said.said, rule.columns))
        return self._table

    def reluctant(self) -> TableDefinition:
        """The learnt definition with what triggers refuse of updates and deletes."""
        columns, rows = drafted(self._table), self._drafted(self._table, _SCREENED)
        return reluctant(self._connection, self._table, columns, rows, self._rules.foreign)

    def _blamed(self, rejection: Rejection) -> Rule:
        return self._rules.blamed(rejection)

    def _refused(self, table: TableDefinition, count: int) -> list[Rejection]:
        """What the server refuses of rows as kroft makes them."""
        return self._try(table, self._drafted(table, count), keep=True)

    def _drafted(self, table: TableDefinition, count: int) -> list[list[Cell]]:
        return draft(table, self._labels, count, self._rules.foreign)

    def _try(self, table: TableDefinition, rows: Sequence[Row], *, keep: bool) -> list[Rejection]:
        self._left -= len(rows)
        return try_rows(self._connection, table, drafted(table), rows, keep=keep)

    def _passes(self, table: TableDefinition, rule: Rule, *, few: bool = False) -> bool:
        """Whether no row is refused by the rule, or before the server asks it.

        ``few`` allows that a column which must not repeat has fewer values than before: of samples there
        are no more than were found, but a style with few values is none.
        """
        rows: list[list[Cell]] = []
        for count in (_SCREENED, _ROWS):
            rows = self._drafted(table, count)
            if self._left <= 0 or not rows:
                return False
            if not all(self._is_later(r, rule) for r in self._try(table, rows, keep=True)):
                return False
        return few or len(rows) >= len(self._drafted(self._table, _ROWS))

    def _is_later(self, rejection: Rejection, rule: Rule) -> bool:
        other = self._blamed(rejection)
        # An error without a name may be due to the rule, or to a cell that its type does not take.
        return other.rank > rule.rank and "unknown" not in (rule.kind, other.kind)

    def _solutions(self, rule: Rule, said: Rejection) -> Iterator[TableDefinition]:
        """The definitions under which the rule refuses no row, the simplest one first."""
        if (
            rule.kind in ("before", "after")
            and said.state != "KR000"
            and not _READS_THE_ROW.search(rule.text)
        ):
            return
        columns = self._columns(rule)
        apart = self._kept_apart(rule, columns) if said.state in ("23505", "23P01") else None
        if apart and self._passes(apart, rule):
            yield apart
        yield from (table for table in self._filled(columns) if self._passes(table, rule))
        if rule.kind == "domain":
            yield from self._alike(rule, columns)
        elif len(columns) == 1 or rule.kind not in ("check", "partition"):
            yield from self._styled(rule, [[column] for column in columns])
        elif self._repeats_not(columns):
            # Of samples there are soon too few where none may come twice.
            yield from self._styled_apart(rule, columns)
        if rule.kind != "domain":
            # What one row refuses of another shows only where the samples are tried together, each once.
            self._table = apart or self._table
            yield from self._sampled(rule, columns)

    def _columns(self, rule: Rule) -> list[ColumnDefinition]:
        """The columns that a rule may be about, but for those with a generator of the user's."""
        named = rule.columns or self._rules.columns
        return [column for column in drafted(self._table) if column.name in named and not column.generator]

    def _kept_apart(self, rule: Rule, columns: Sequence[ColumnDefinition]) -> TableDefinition | None:
        """The table with the columns of a rule kept apart, if they can be and are not yet."""
        if not rule.columns or rule.columns in self._table.apart:
            return None
        if not all(has_order(column.type) for column in columns):
            return None
        return replace(self._table, distinct=(*self._table.distinct, rule.columns))

    def _filled(self, columns: Sequence[ColumnDefinition]) -> Iterator[TableDefinition]:
        optional = [column for column in columns if may_be_null(column)]
        yield from (self._with(replace(column, filled=True)) for column in optional)
        if len(optional) > 1:
            yield self._with(*(replace(column, filled=True) for column in optional))

    def _alike(self, rule: Rule, columns: list[ColumnDefinition]) -> Iterator[TableDefinition]:
        """Every column of a domain in one style, or with the samples that all of them take."""
        yield from self._styled(rule, [columns])
        cells = cells_for(self._table, columns[0], rule.text, self._labels, many=self._repeats_not(columns))
        accepted = self._accepted(rule, columns, [(cell,) * len(columns) for cell in cells])
        found = tuple(cell for cell, *_ in thinned(accepted, self._most(columns)))
        if found:
            # Some columns of the domain may be NULL, and others not.
            held = {
                column.name: tuple(c for c in found if c is not None or column.nullable) for column in columns
            }
            yield self._with(*(replace(column, samples=held[column.name], style=None) for column in columns))

    def _styled(self, rule: Rule, choices: list[list[ColumnDefinition]]) -> Iterator[TableDefinition]:
        for columns in choices:
            if any(column.name in self._rules.foreign or column.samples for column in columns):
                continue
            for style in styles_for(columns[0].type):
                for filled in (False, True):
                    table = self._with(
                        *(replace(column, style=style, filled=filled or column.filled) for column in columns)
                    )
                    if self._passes(table, rule):
                        yield table

    def _styled_apart(self, rule: Rule, columns: list[ColumnDefinition]) -> Iterator[TableDefinition]:
        """Each column in a style of its own, such as the past and the future."""
        styles = [styles_for(column.type) for column in columns]
        if any(column.name in self._rules.foreign or column.samples for column in columns):
            return
        for some in islice(product(*styles), _PAIRS if max(map(len, styles)) < _MANY_STYLES else 0):
            table = self._with(
                *(replace(column, style=style) for column, style in zip(columns, some, strict=True))
            )
            if self._passes(table, rule):
                yield table

    def _sampled(self, rule: Rule, columns: list[ColumnDefinition]) -> Iterator[TableDefinition]:
        """Samples of the columns together, or of some of them where they are many."""
        together, text = self._with_groups(rule, columns)
        choices = [[column] for column in together] if rule.kind in ("before", "after", "unknown") else []
        if len(together) <= _MOST_COLUMNS:
            choices.append(together)
        else:
            choices += [[one, other] for one, other in pairwise(together)]
        for some in choices:
            if some and self._left > 0:
                yield from self._samples_of(rule, some, text)

    def _with_groups(self, rule: Rule, columns: list[ColumnDefinition]) -> tuple[list[ColumnDefinition], str]:
        """The columns of a rule and of those learnt before it that share one with it, and all their texts."""
        names, texts = {column.name for column in columns}, [rule.text]
        for other in self._groups:
            if names.intersection(other.columns) and other != rule:
                names.update(other.columns)
                texts.append(other.text)
        return [column for column in drafted(self._table) if column.name in names], "\n".join(texts)

    def _samples_of(
        self, rule: Rule, columns: list[ColumnDefinition], text: str
    ) -> Iterator[TableDefinition]:
        many = self._repeats_not(columns)
        free = [replace(column, samples=(), together=None) for column in columns]
        cells = [cells_for(self._table, column, text, self._labels, many=many) for column in free]
        accepted = self._accepted(rule, columns, combinations(cells, _TUPLES))
        found = thinned(accepted, self._most(columns))
        if not found:
            return
        name = f"{self._table.name}: {rule.name}" if len(columns) > 1 else None
        table = self._with(
            *(
                replace(column, samples=tuple(cells), together=name, style=None, filled=False)
                for column, cells in zip(columns, zip(*found, strict=True), strict=True)
            )
        )
        if self._passes(table, rule, few=True):
            yield table

    def _accepted(self, rule: Rule, columns: list[ColumnDefinition], tuples: list[Tuple]) -> list[Tuple]:
        """Those of the tuples that the rule lets pass, as samples: a parent's key is but a parent."""
        keep = self._repeats_not(columns)
        places = [drafted(self._table).index(column) for column in columns]
        base = self._drafted(self._free(columns), len(tuples) if keep else _SCREENED)
        tuples = tuples[: max(self._left, 0)]
        rows = []
        for number, cells in enumerate(tuples[: len(base)] if keep else tuples):
            row = list(base[number % len(base)])
            for place, cell in zip(places, cells, strict=True):
                row[place] = cell
            rows.append(row)
        rejections = self._try(self._table, rows, keep=keep)
        refused = {r.place for r in rejections if not self._is_later(r, rule)}
        if keep and len(rows) - len(rejections) >= _ROWS:
            # A row that a later rule refuses is not there to refuse another one.
            refused = {r.place for r in rejections}
        named = [self._as_samples(columns, cells) for cells in tuples[: len(rows)]]
        never = (
            {cells for number, cells in enumerate(named) if number in refused}
            if self._foreign(columns)
            else ()
        )
        passed = (cells for number, cells in enumerate(named) if number not in refused and cells not in never)
        return list(dict.fromkeys(passed))

    def _free(self, columns: list[ColumnDefinition]) -> TableDefinition:
        """The table, whose rows do not run out of values for columns that are tried anyway."""
        return self._with(*(replace(column, samples=(), together=None) for column in columns))

    def _foreign(self, columns: Sequence[ColumnDefinition]) -> bool:
        return any(column.name in self._rules.foreign for column in columns)

    def _as_samples(self, columns: list[ColumnDefinition], cells: Tuple) -> Tuple:
        return tuple(
            A_PARENT if cell is not None and column.name in self._rules.foreign else cell
            for column, cell in zip(columns, cells, strict=True)
        )

    def _repeats_not(self, columns: Sequence[ColumnDefinition]) -> bool:
        names = {column.name for column in columns}
        return any(names.intersection(apart) for apart in self._table.apart)

    def _most(self, columns: Sequence[ColumnDefinition]) -> int:
        return MOST_DISTINCT_SAMPLES if self._repeats_not(columns) else MOST_SAMPLES

    def _with(self, *columns: ColumnDefinition) -> TableDefinition:
        """The table with these columns in the place of those of their names."""
        changed = {column.name: column for column in columns}
        return replace(
            self._table, columns=tuple(changed.get(column.name, column) for column in self._table.columns)
        )


def _touched(rule: Rule, before: TableDefinition, after: TableDefinition) -> tuple[str, ...]:
    """The columns of a rule, and those that were changed for it."""
    pairs = zip(before.columns, after.columns, strict=True)
    changed = (column.name for old, column in pairs if old != column)
    return tuple(dict.fromkeys((*rule.columns, *changed)))
