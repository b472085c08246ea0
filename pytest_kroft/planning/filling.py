"""Rows for every table, parents first: how a schema that was adopted gets its first content."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_kroft.errors import CapacityReached, NotApplicable
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.operations import Insert, Operation
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning import arguments
from pytest_kroft.planning.batches import BatchGenerator, Craft
from pytest_kroft.planning.rings import plan_rings


class Filler:
    """Plans inserts until every table has so many rows.

    A table that needs rows of another one comes after it; where they need each other, one of them begins
    with NULL, or both get their rows in one transaction.

    Args:
        database: The state, and the function that applies an operation.
        choices: Answers the parents of foreign keys.
        craft: How values are spelled, and what time it is.
    """

    def __init__(self, database: Evolving, choices: Choices, craft: Craft) -> None:
        self._database, self._choices, self._craft = database, choices, craft
        self._batches = BatchGenerator(database, choices, craft)

    def fill(self, rows: int) -> dict[str, str]:
        """Insert until every table has so many rows; why a table has fewer, by its name.

        Raises NotApplicable for no whole number from 1, and ExecutionError where the server refuses.
        """
        if arguments.whole(rows, "the number of rows") < 1:
            raise NotApplicable(f"a table is filled with 1 row or more, not {rows}")
        short: dict[str, str] = {}
        for _ in self._database.perform(arguments.call("fill", rows=rows), lambda: self._plan(rows, short)):
            pass
        return short

    def _plan(self, rows: int, short: dict[str, str]) -> Iterator[Operation]:
        waiting = list(self._database.state.tables)
        while waiting:
            left = []
            for name in waiting:
                short.pop(name, None)
                yield from self._plan_table(name, rows, short)
                if name in short and not self._database.state.table(name).rows:
                    left.append(name)
            # A table may have waited for a parent that came after it, or for one that waits for it.
            if len(left) == len(waiting):
                ringed = list(plan_rings(self._database.state, left, rows, self._choices, self._craft))
                yield from ringed
                left = left if ringed else []
            waiting = left

    def _plan_table(self, name: str, rows: int, short: dict[str, str]) -> Iterator[Insert]:
        count = rows - len(self._database.state.table(name).rows)
        while count > 0:
            try:
                planned = self._batches.plan(name, count)
                check(self._database.state, planned[0])
            except (NotApplicable, CapacityReached) as error:
                # Of rows that are to differ there may be fewer.
                short[name] = str(error)
                count //= 2
                continue
            yield from planned
            missing = rows - len(self._database.state.table(name).rows)
            if name not in short and missing > 0:
                short[name] = f"no more than {rows - missing} rows differ where they have to"
            return
