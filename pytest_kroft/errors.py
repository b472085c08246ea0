"""Every error that pytest-kroft raises on purpose.

Each carries fields a program can read and derives its sentence from them: what was
wrong, what is allowed, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class KroftError(Exception):
    """The base of all errors of pytest-kroft."""

    def __init_subclass__(cls) -> None:
        # Users import errors from the package, and a failing test prints where an error comes from.
        package = __name__.partition(".")[0]
        if cls.__module__.startswith(f"{package}."):
            cls.__module__ = package


def listing(names: Iterable[str], nothing: str = "none") -> str:
    """Names for a sentence: ``a, b, c``, or the word for an empty list."""
    return ", ".join(names) or nothing


class DefinitionError(KroftError, ValueError):
    """A table, column, enum or policy is defined in a way PostgreSQL or kroft would refuse."""

    def __init__(self, reason: str, *, table: str | None = None, column: str | None = None) -> None:
        self.reason, self.table, self.column = reason, table, column
        where = [f"table {table!r}" if table else "", f"column {column!r}" if column else ""]
        super().__init__(": ".join([*filter(None, [", ".join(filter(None, where))]), reason]))


class ValueRefused(KroftError, ValueError):
    """A value given on purpose does not fit the type of its column."""

    def __init__(self, value: object, sql_type: str, reason: str = "") -> None:
        self.value, self.sql_type, self.reason = value, sql_type, reason
        super().__init__(f"{value!r} is no value of type {sql_type}" + (f": {reason}" if reason else ""))


class OperationError(KroftError):
    """An operation that does not apply to the present state; nothing was changed."""


class UnknownTable(OperationError):
    """An operation names a table that does not exist."""

    def __init__(self, table: str, known: Iterable[str], why: str = "") -> None:
        self.table, self.known = table, tuple(known)
        wanted = f", {why}" if why else ""
        super().__init__(f"there is no table {table!r}{wanted}; the tables are: {listing(self.known)}")


class UnknownColumn(OperationError):
    """An operation names a column that is not in the table now."""

    def __init__(self, table: str, column: str, known: Iterable[str]) -> None:
        self.table, self.column, self.known = table, column, tuple(known)
        super().__init__(f"table {table!r} has no column {column!r}; its columns are: {listing(self.known)}")


class UnknownType(OperationError):
    """An operation names a type that is neither built in nor a created enum."""

    def __init__(self, sql_type: str, known: Iterable[str] = (), where: str = "") -> None:
        self.sql_type, self.known = sql_type, tuple(known)
        super().__init__(
            f"{where and where + ': '}there is no type {sql_type!r}; "
            f"use a built-in type or one of the enums: {listing(self.known)}"
        )


class AlreadyExists(OperationError):
    """An operation would create something whose name is taken."""

    def __init__(self, kind: str, name: str, where: str = "") -> None:
        self.kind, self.name = kind, name
        super().__init__(f"there is already a {kind} {name!r}{where}; choose another name")


class Protected(OperationError):
    """An operation would change or drop a protected column."""

    def __init__(self, table: str, column: str, reason: str) -> None:
        self.table, self.column, self.reason = table, column, reason
        super().__init__(f"column {column!r} of table {table!r} is protected: {reason}")


class LimitReached(OperationError):
    """The policy allows no more operations of this kind."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        self.what, self.limit, self.setting = what, limit, setting
        super().__init__(
            f"the limit of {limit} {what} is reached; raise {setting} in the policy to allow more"
        )


class NotApplicable(OperationError):
    """An operation that PostgreSQL, or the exactness of the state, does not allow here."""


class HistoryError(KroftError, ValueError):
    """A history that cannot be read: damaged, edited into something impossible, or of another format."""

    def __init__(self, reason: str, *, line: int | None = None, source: str = "") -> None:
        self.reason, self.line, self.source = reason, line, source
        where = ", ".join(filter(None, [source, f"line {line}" if line is not None else ""]))
        super().__init__(f"{where}: {reason}" if where else reason)


class HistoryDiverged(KroftError):
    """A test makes other calls than in the history that is replayed; says which, and what to do.

    Args:
        number: Which call of the history, from 1.
        calls: How many calls the history has.
        recorded: The call that the history has there.
        made: The call that the test makes.
    """

    def __init__(self, number: int, calls: int, recorded: str, made: str) -> None:
        super().__init__(
            f"the test has diverged from the history: its call {number} of {calls} was {recorded}, and the "
            f"test now calls {made}; run the test without the replay to make a new history"
        )


class ServerNotFound(KroftError):
    """No PostgreSQL server could be had; says what was looked for and what helps."""


class LoadError(KroftError):
    """A schema cannot be loaded: a file or function is not there, or what it does is refused.

    Args:
        reason: What is wrong, and what to do.
        source: The file or function.
        line: The line of the file, from 1.
        statement: The statement that the server refused.
        sqlstate: The server's code for why.
    """

    def __init__(
        self, reason: str, *, source: str = "", line: int | None = None, statement: str = "",
        sqlstate: str | None = None,
    ) -> None:  # fmt: skip
        self.reason, self.source, self.line = reason, source, line
        self.statement, self.sqlstate = statement, sqlstate
        where = ", ".join(filter(None, [source, f"line {line}" if line is not None else ""]))
        shown = " ".join(statement.split())
        shown = shown if len(shown) <= 200 else shown[:197] + "..."
        said = f"{where}: {reason}" if where else reason
        super().__init__(f"{said}\n  statement: {shown}" if shown else said)


class ExecutionError(KroftError):
    """The server refused, or answered differently than the state predicted; says which operation."""

    def __init__(
        self, operation: str, reason: str, *, statement: str = "", sqlstate: str | None = None
    ) -> None:
        self.operation, self.reason, self.statement, self.sqlstate = operation, reason, statement, sqlstate
        lines = [f"{operation}: {reason}"]
        if statement:
            lines.append(f"  statement: {statement}")
        super().__init__("\n".join(lines))


class Mismatch(KroftError, AssertionError):
    """Two contents that should be equal are not; ``comparison`` holds the differences as data."""

    def __init__(self, text: str, comparison: object = None) -> None:
        self.comparison = comparison
        super().__init__(text)


class CapacityReached(OperationError):
    """A unique column has no more distinct values of its type."""

    def __init__(self, table: str, column: str, sql_type: str, capacity: int, row: int) -> None:
        self.table, self.column, self.sql_type = table, column, sql_type
        self.capacity, self.row = capacity, row
        super().__init__(
            f"the unique column {table}.{column} of type {sql_type} has {capacity} distinct values, and row "
            f"number {row} would need one more; use a wider type, or insert and update fewer rows"
        )


class CastRefused(OperationError):
    """A value, or where ``value`` is None any value, that cannot be cast exactly."""

    def __init__(self, value: str | None, source: object, target: object, reason: str) -> None:
        self.value, self.source, self.target, self.reason = value, source, target, reason
        shown = "values" if value is None else repr(value if len(value) <= 60 else value[:57] + "...")
        super().__init__(f"{shown} of type {source} cannot become {target}: {reason}")


class GeneratorError(KroftError, ValueError):
    """A user's generator failed, or returned what its column cannot hold."""

    def __init__(self, table: str, column: str, reason: str, *, row: int | None = None) -> None:
        self.table, self.column, self.row, self.reason = table, column, row, reason
        where = f", row {row}" if row is not None else ""
        super().__init__(f"the generator of {table}.{column}{where}: {reason}")


class ServerFailed(ServerNotFound):
    """A server was started and did not come up; ``log`` holds its last lines."""

    def __init__(self, what: str, log: str) -> None:
        self.what, self.log = what, log
        lines = "\n".join(f"  {line}" for line in log.splitlines())
        super().__init__(f"{what}; its last lines were:\n{lines}" if lines else f"{what}; it said nothing")


class SessionRemains(KroftError):
    """A session of the database does not end although it was told to."""

    def __init__(self, database: str, pid: int, query: str) -> None:
        self.database, self.pid, self.query = database, pid, query
        super().__init__(
            f"session {pid} on database {database!r} does not end within seconds"
            f" after being terminated; its last query: {query}"
        )


_ROWS_ALLOWED = (
    "give rows whose columns have names: dicts, named tuples, dataclass instances, a dict of such rows "
    "by key, or a cursor that has run its query"
)


class RowsRefused(KroftError, TypeError):
    """What was given as the copy is not rows with named columns."""

    def __init__(self, given: object, reason: str) -> None:
        self.given, self.reason = given, reason
        shown = repr(given)
        shown = shown if len(shown) <= 60 else shown[:54] + "..."
        super().__init__(f"cannot compare {shown}: {reason}; {_ROWS_ALLOWED}")
