"""The planted mistakes as data: each is one change to its correct twin, and has a smallest known history."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    Delete,
    DropColumn,
    Insert,
    Operation,
    RenameColumn,
    RenameTable,
    Sync,
    Text,
    Truncate,
    Update,
)
from pytest_kroft.model.special import large_values
from pytest_kroft.model.types import parse_type
from pytest_kroft.planning.policy import EvolutionPolicy
from tests.gallery.consumers.cached import (
    Cached,
    CachesLabels,
    CachesName,
    GoesByStamp,
    NeverFlushes,
    NeverForgets,
    PreparesOnce,
)
from tests.gallery.consumers.decoding import (
    Decoding,
    DeletesLast,
    GoesByTransactionNumber,
    IgnoresKeyChange,
    IgnoresTruncate,
    LooksOnce,
    UnchangedIsNull,
)
from tests.gallery.consumers.incremental import (
    Appending,
    CachesColumns,
    CountsForDeletes,
    GoesByNames,
    IgnoresDeletes,
    Incremental,
    LosesUnstamped,
    MissesBackfill,
    NoOverlap,
    Overlapping,
    PagesByStamp,
    ReadersClock,
    Strict,
)
from tests.gallery.consumers.refresh import (
    CachesTypes,
    CutsToFloat,
    EmptyTextIsNull,
    KeepsWhenEmpty,
    MapsByPosition,
    NanIsNull,
    NeverDropsColumns,
    PlainDates,
    Refresh,
    RenameLeavesOld,
)
from tests.gallery.consumers.source import Consumer
from tests.gallery.definitions import NAME

TWINS: tuple[type[Consumer], ...] = (Incremental, Overlapping, Refresh, Decoding, Cached)
"""The correct consumer of each family."""


SYNC = Sync()
LARGE = next(value for value in large_values(parse_type("text")) if value.isalnum())
"""A text that does not compress, and is stored out of line."""


@dataclass(frozen=True)
class Bug:
    """One mistake: the consumer that makes it, its correct twin, what reveals it and how briefly.

    ``hazards`` are those of the smallest known ``history``, which begins once the tables are made and is a
    plain one where there are none. ``without`` are hazards that the search leaves out beside those that
    the family documents, so that it has to find this history and not another.
    """

    consumer: type[Consumer]
    twin: type[Consumer]
    hazards: frozenset[str]
    history: tuple[Operation, ...]
    without: frozenset[str] = frozenset()
    suffix: str = ""

    @property
    def name(self) -> str:
        return self.consumer.__name__ + self.suffix

    @property
    def smallest(self) -> int:
        """The number of operations in the smallest known history, syncs counted."""
        return len(self.history)

    @property
    def policy(self) -> EvolutionPolicy:
        """Everything but what the family documents not to handle."""
        return policy_of(self.twin, *self.without)


def policy_of(twin: type[Consumer], *without: str) -> EvolutionPolicy:
    """The policy under which a correct consumer never fails."""
    return EvolutionPolicy.named("everything").without(*twin.documented, *without)


def insert(first: int, count: int = 1, *, at: int = 0, session: int = 0, **cells: Text) -> Insert:
    given = {name: (text,) * count for name, text in cells.items()}
    return Insert(NAME, first, count, START + at * SECOND, cells=given, session=session)


def update(row: int, *, at: int = 0, **cells: Text) -> Update:
    given = {name: (text,) for name, text in cells.items()}
    return Update(NAME, (row,), tuple(cells), 1, START + at * SECOND, cells=given)


KEY_CHANGE = Update(NAME, (1,), ("id",), 1, START + SECOND, fresh=2)
DELETE = Delete(NAME, (1,))
DROP = DropColumn(NAME, "amount")
READD = (DROP, AddColumn(NAME, ColumnDefinition("amount", "numeric(10,2)")))
ADD = AddColumn(NAME, ColumnDefinition("items", "integer", default="7"))
FIRST = insert(1, amount="12.34", note="one", state="new")
TWO = (FIRST, insert(2, at=1))

BUGS = (
    Bug(Strict, Incremental, frozenset({"tied_timestamp"}), (FIRST, SYNC, insert(2), SYNC)),
    Bug(Appending, Incremental, frozenset(), (FIRST, SYNC, SYNC)),
    Bug(IgnoresDeletes, Incremental, frozenset({"delete"}), (FIRST, SYNC, DELETE, SYNC)),
    Bug(CountsForDeletes, Incremental, frozenset({"key_change"}), (FIRST, SYNC, KEY_CHANGE, SYNC)),
    Bug(LosesUnstamped, Incremental, frozenset({"null_cursor"}), (insert(1, updated_at=None), SYNC)),
    Bug(CachesColumns, Incremental, frozenset({"drop_column"}), (SYNC, DROP, SYNC)),
    Bug(GoesByNames, Incremental, frozenset({"readd_column"}), (*TWO, SYNC, *READD, SYNC)),
    Bug(MissesBackfill, Incremental, frozenset({"add_column_default"}), (*TWO, SYNC, ADD, SYNC)),
    Bug(ReadersClock, Incremental, frozenset(), (SYNC, FIRST, SYNC)),
    Bug(PagesByStamp, Incremental, frozenset(), (insert(1, 11), SYNC)),
    Bug(
        NoOverlap,
        Overlapping,
        frozenset({"late_commit"}),
        (Begin(1, START), insert(1, session=1), insert(2, at=1), SYNC, Commit(1), SYNC),
        without=frozenset({"clock_skew"}),
        suffix="LateCommit",
    ),
    Bug(
        NoOverlap,
        Overlapping,
        frozenset({"clock_skew"}),
        (insert(1, at=1), SYNC, insert(2), SYNC),
        without=frozenset({"late_commit"}),
        suffix="Backdated",
    ),
    Bug(KeepsWhenEmpty, Refresh, frozenset({"delete"}), (FIRST, SYNC, DELETE, SYNC)),
    Bug(NeverDropsColumns, Refresh, frozenset({"drop_column"}), (FIRST, SYNC, DROP, SYNC)),
    Bug(
        RenameLeavesOld,
        Refresh,
        frozenset({"rename_column"}),
        (FIRST, SYNC, RenameColumn(NAME, "note", "note_v2"), SYNC),
    ),
    Bug(MapsByPosition, Refresh, frozenset({"readd_column"}), (FIRST, SYNC, *READD, SYNC)),
    Bug(EmptyTextIsNull, Refresh, frozenset({"extreme_value"}), (insert(1, note=""), SYNC)),
    Bug(CutsToFloat, Refresh, frozenset(), (FIRST, SYNC)),
    Bug(NanIsNull, Refresh, frozenset({"extreme_value"}), (insert(1, amount="NaN"), SYNC)),
    Bug(
        CachesTypes,
        Refresh,
        frozenset({"widen_type"}),
        (SYNC, AlterType(NAME, "amount", "numeric(16,6)"), insert(1, amount="0.123456"), SYNC),
    ),
    Bug(PlainDates, Refresh, frozenset({"unrepresentable_value"}), (insert(1, due="infinity"), SYNC)),
    Bug(
        UnchangedIsNull,
        Decoding,
        frozenset({"large_value"}),
        (insert(1, note=LARGE), SYNC, update(1, state="paid"), SYNC),
    ),
    Bug(IgnoresTruncate, Decoding, frozenset({"truncate"}), (FIRST, SYNC, Truncate(NAME), SYNC)),
    Bug(IgnoresKeyChange, Decoding, frozenset({"key_change"}), (FIRST, SYNC, KEY_CHANGE, SYNC)),
    Bug(
        DeletesLast,
        Decoding,
        frozenset({"delete_reinsert"}),
        (insert(1, id="1"), SYNC, DELETE, insert(2, at=1, id="1"), SYNC),
    ),
    Bug(
        GoesByTransactionNumber,
        Decoding,
        frozenset({"late_commit"}),
        (Begin(1, START), insert(1, session=1), insert(2, at=1), SYNC, Commit(1), SYNC),
    ),
    Bug(LooksOnce, Decoding, frozenset({"add_column_default"}), (FIRST, SYNC, ADD, SYNC)),
    Bug(PreparesOnce, Cached, frozenset({"add_column"}), (SYNC, ADD, SYNC)),
    Bug(GoesByStamp, Cached, frozenset({"tied_timestamp"}), (FIRST, SYNC, update(1, note="two"), SYNC)),
    Bug(
        CachesLabels,
        Cached,
        frozenset({"enum_value"}),
        (SYNC, AddEnumValue("order_state", "lost"), insert(1, state="lost"), SYNC),
    ),
    Bug(CachesName, Cached, frozenset({"rename_table"}), (SYNC, RenameTable(NAME, "orders_v2"), SYNC)),
    Bug(NeverFlushes, Cached, frozenset({"add_column_default"}), (FIRST, SYNC, ADD, SYNC)),
    Bug(NeverForgets, Cached, frozenset({"delete"}), (FIRST, SYNC, DELETE, SYNC)),
)
