"""One operation of each kind, with every field given."""

from __future__ import annotations

from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    DropType,
    Insert,
    Migrate,
    Observed,
    Operation,
    RenameColumn,
    RenameTable,
    Rollback,
    RollbackTo,
    Savepoint,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from tests.definitions import LEVEL, PAIRS, Column

SAMPLES: tuple[Operation, ...] = (
    Insert("orders", 1, 2, START, 5, cells={"paid": ("true", None)}, parents={"customer_id": (1, None)}),
    Update(
        "orders",
        (1, 2),
        ("paid", "customer_id", "code"),
        3,
        START + 1,
        7,
        9,
        cells={"paid": (None, "false")},
        parents={"customer_id": (None, 1)},
    ),
    Delete("orders", (2, 1)),
    Truncate("orders"),
    CreateTable(PAIRS),
    DropTable("orders"),
    RenameTable("orders", "Or\u2028ders"),
    AddColumn(
        "orders", Column("a", "int", constraints='COLLATE "C"', default="1", check="a > 0", unique=True)
    ),
    DropColumn("orders", "paid"),
    RenameColumn("orders", "paid", '"; --'),
    AlterType("orders", "paid", "text"),
    SetDefault("orders", "paid", None),
    SetNullable("orders", "paid", nullable=False),
    CreateType(LEVEL),
    DropType("level"),
    AddEnumValue("level", "middle", "low"),
    Migrate(
        "app:upgrade", ("head",), (PAIRS,), (LEVEL,), {"pairs": {"left": "was"}}, ("tree",), ("my mood",)
    ),
    Begin(1, START),
    Commit(1),
    Rollback(2),
    Savepoint(1, '"; --'),
    RollbackTo(1, '"; --'),
    Sync(),
    Observed("orders", "test", (1, 5), {"paid": (None, "true")}, (2,), START),
)
"""In the order of ``KINDS``."""
