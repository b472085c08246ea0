"""An evolving PostgreSQL database for every test: what users import, and nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_kroft.adopting import Adopted
    from pytest_kroft.comparison import Comparison, Difference
    from pytest_kroft.database import KroftDB
    from pytest_kroft.errors import (
        AlreadyExists,
        CapacityReached,
        CastRefused,
        DefinitionError,
        ExecutionError,
        GeneratorError,
        HistoryDiverged,
        HistoryError,
        KroftError,
        LimitReached,
        LoadError,
        Mismatch,
        NotApplicable,
        OperationError,
        Protected,
        RowsRefused,
        ServerFailed,
        ServerNotFound,
        SessionRemains,
        UnknownColumn,
        UnknownTable,
        UnknownType,
        ValueRefused,
    )
    from pytest_kroft.metamorphic import (
        Consumer,
        assert_incremental_equals_full,
        assert_one_sync_equals_many,
        assert_second_sync_changes_nothing,
    )
    from pytest_kroft.migrating import Migrated
    from pytest_kroft.model.check import check
    from pytest_kroft.model.choices import Choices, SeededChoices
    from pytest_kroft.model.columns import ColumnDefinition
    from pytest_kroft.model.describe import describe
    from pytest_kroft.model.fold import fold
    from pytest_kroft.model.hazards import HAZARDS, Hazard
    from pytest_kroft.model.history import History
    from pytest_kroft.model.operations import (
        AddColumn,
        AddEnumValue,
        AlterType,
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
        SetDefault,
        SetNullable,
        Sync,
        Truncate,
        Update,
    )
    from pytest_kroft.model.registry import (
        Registry,
        default_registry,
        register_column,
        register_enum,
        register_table,
    )
    from pytest_kroft.model.state import State
    from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
    from pytest_kroft.model.values import Cell
    from pytest_kroft.planning.audit import LogEntry
    from pytest_kroft.planning.batches import BatchGenerator
    from pytest_kroft.planning.evolution import EvolutionController
    from pytest_kroft.planning.mutations import MutationEngine
    from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy
    from pytest_kroft.planning.schema import SchemaManager
    from pytest_kroft.postgres.script import script
    from pytest_kroft.server import KroftServer, start_server
    from pytest_kroft.simulation import BatchReport, SimulationReport, SimulationRunner
    from pytest_kroft.tolerance import TOLERANCES, Tolerance

__version__ = "0.1.0"

_HOMES = {
    "adopting": ("Adopted",),
    "comparison": ("Comparison", "Difference"),
    "database": ("KroftDB",),
    "errors": (
        "AlreadyExists", "CapacityReached", "CastRefused", "DefinitionError", "ExecutionError",
        "GeneratorError", "HistoryDiverged", "HistoryError", "KroftError", "LimitReached", "LoadError",
        "Mismatch", "NotApplicable", "OperationError", "Protected", "RowsRefused", "ServerFailed",
        "ServerNotFound", "SessionRemains", "UnknownColumn", "UnknownTable", "UnknownType", "ValueRefused",
    ),
    "metamorphic": (
        "Consumer", "assert_incremental_equals_full", "assert_one_sync_equals_many",
        "assert_second_sync_changes_nothing",
    ),
    "migrating": ("Migrated",),
    "model.check": ("check",),
    "model.choices": ("Choices", "SeededChoices"),
    "model.columns": ("ColumnDefinition",),
    "model.describe": ("describe",),
    "model.fold": ("fold",),
    "model.hazards": ("HAZARDS", "Hazard"),
    "model.history": ("History",),
    "model.operations": (
        "AddColumn", "AddEnumValue", "AlterType", "CreateTable", "CreateType", "Delete", "DropColumn",
        "DropTable", "DropType", "Insert", "Migrate", "Observed", "Operation", "RenameColumn",
        "RenameTable", "SetDefault", "SetNullable", "Sync", "Truncate", "Update",
    ),
    "model.registry": ("Registry", "default_registry", "register_column", "register_enum", "register_table"),
    "model.state": ("State",),
    "model.tables": ("EnumDefinition", "SampledDefinition", "TableDefinition"),
    "model.values": ("Cell",),
    "planning.audit": ("LogEntry",),
    "planning.batches": ("BatchGenerator",),
    "planning.evolution": ("EvolutionController",),
    "planning.mutations": ("MutationEngine",),
    "planning.policy": ("POLICIES", "EvolutionPolicy"),
    "planning.schema": ("SchemaManager",),
    "postgres.script": ("script",),
    "server": ("KroftServer", "start_server"),
    "simulation": ("BatchReport", "SimulationReport", "SimulationRunner"),
    "tolerance": ("TOLERANCES", "Tolerance"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

# Written out, because type checkers do not run code: what is not here they take for private.
__all__ = [
    "HAZARDS",
    "POLICIES",
    "TOLERANCES",
    "AddColumn",
    "AddEnumValue",
    "Adopted",
    "AlreadyExists",
    "AlterType",
    "BatchGenerator",
    "BatchReport",
    "CapacityReached",
    "CastRefused",
    "Cell",
    "Choices",
    "ColumnDefinition",
    "Comparison",
    "Consumer",
    "CreateTable",
    "CreateType",
    "DefinitionError",
    "Delete",
    "Difference",
    "DropColumn",
    "DropTable",
    "DropType",
    "EnumDefinition",
    "EvolutionController",
    "EvolutionPolicy",
    "ExecutionError",
    "GeneratorError",
    "Hazard",
    "History",
    "HistoryDiverged",
    "HistoryError",
    "Insert",
    "KroftDB",
    "KroftError",
    "KroftServer",
    "LimitReached",
    "LoadError",
    "LogEntry",
    "Migrate",
    "Migrated",
    "Mismatch",
    "MutationEngine",
    "NotApplicable",
    "Observed",
    "Operation",
    "OperationError",
    "Protected",
    "Registry",
    "RenameColumn",
    "RenameTable",
    "RowsRefused",
    "SampledDefinition",
    "SchemaManager",
    "SeededChoices",
    "ServerFailed",
    "ServerNotFound",
    "SessionRemains",
    "SetDefault",
    "SetNullable",
    "SimulationReport",
    "SimulationRunner",
    "State",
    "Sync",
    "TableDefinition",
    "Tolerance",
    "Truncate",
    "UnknownColumn",
    "UnknownTable",
    "UnknownType",
    "Update",
    "ValueRefused",
    "__version__",
    "assert_incremental_equals_full",
    "assert_one_sync_equals_many",
    "assert_second_sync_changes_nothing",
    "check",
    "default_registry",
    "describe",
    "fold",
    "register_column",
    "register_enum",
    "register_table",
    "script",
    "start_server",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562): loading the plugin imports this package."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
