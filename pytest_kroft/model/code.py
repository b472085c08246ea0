"""Definitions as Python code, which a person can keep, edit and import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition

Definition = TableDefinition | EnumDefinition | SampledDefinition

WIDTH = 88
"""How long a line gets before it is broken, as ruff and black do by default."""
_INDENT = "    "


def as_python(definitions: Iterable[Definition]) -> str:
    """A module whose ``definitions`` is a list that equals these.

    Only what differs from a default is said. A generator is named by its module, so that it must be a
    function that can be imported; raises DefinitionError for another one.
    """
    given = list(definitions)
    columns = [column for one in given if isinstance(one, TableDefinition) for column in one.columns]
    modules = sorted({_importable(column)[0] for column in columns if column.generator is not None})
    names = sorted({type(one).__name__ for one in [*given, *columns]})
    value = _Group("[", tuple(map(_code, given)), "]")
    blocks = [
        "".join(f"import {module}\n" for module in modules),
        _imports(names),
        f"definitions = {_laid_out(value, '', len('definitions = '), 0)}\n",
    ]
    return "\n".join(filter(None, blocks))


def _imports(names: Sequence[str]) -> str:
    line = f"from pytest_kroft import {', '.join(names)}\n" if names else ""
    if len(line) <= WIDTH + 1:
        return line
    return "".join(["from pytest_kroft import (\n", *(f"{_INDENT}{name},\n" for name in names), ")\n"])


@dataclass(frozen=True, slots=True)
class _Group:
    """Code between two brackets."""

    opening: str
    items: tuple[_Code, ...]
    closing: str

    def __str__(self) -> str:
        single = "," if self.opening == "(" and len(self.items) == 1 else ""
        return f"{self.opening}{', '.join(map(str, self.items))}{single}{self.closing}"


@dataclass(frozen=True, slots=True)
class _Named:
    """An argument with its name."""

    name: str
    value: str | _Group

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


_Code = str | _Group | _Named


def _laid_out(code: _Code, indent: str, before: int, after: int) -> str:
    """Code on one line if it fits between so many letters, else its items on lines of their own."""
    if isinstance(code, _Named):
        return f"{code.name}={_laid_out(code.value, indent, before + len(code.name) + 1, after)}"
    line = str(code)
    if isinstance(code, str) or before + len(line) + after <= WIDTH or not code.items:
        return line
    inner = indent + _INDENT
    inside = ", ".join(map(str, code.items))
    if code.opening not in "([" and len(inner) + len(inside) <= WIDTH:
        # The arguments of a call may share a line of their own, the items of a tuple or list may not.
        return f"{code.opening}\n{inner}{inside}\n{indent}{code.closing}"
    lines = [f"{inner}{_laid_out(item, inner, len(inner), 1)},\n" for item in code.items]
    return f"{code.opening}\n{''.join(lines)}{indent}{code.closing}"


def _code(value: Any) -> str | _Group:
    if isinstance(value, Definition | ColumnDefinition):
        items = tuple(_arguments(value))
        return _Group(f"{type(value).__name__}(", items, ")")
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, tuple):
        return _Group("(", tuple(map(_code, value)), ")")
    return repr(value)


def _arguments(definition: Definition | ColumnDefinition) -> Iterator[_Code]:
    """The arguments that differ from their defaults; the first two are known by their place."""
    for place, field in enumerate(fields(definition)):
        value = getattr(definition, field.name)
        if place < 2:
            yield _listed(value) if field.name == "columns" else _code(value)
        elif value != _default(definition, field):
            yield _Named(field.name, _argument(definition, field.name, value))


def _argument(definition: Definition | ColumnDefinition, name: str, value: Any) -> str | _Group:
    if name == "generator" and isinstance(definition, ColumnDefinition):
        return ".".join(_importable(definition))
    return _code(value)


def _listed(values: Iterable[Any]) -> _Group:
    return _Group("[", tuple(map(_code, values)), "]")


def _default(definition: Definition | ColumnDefinition, field: Field[Any]) -> Any:
    if isinstance(definition, ColumnDefinition) and field.name == "nullable":
        return not (definition.primary_key or definition.identity)
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _importable(column: ColumnDefinition) -> tuple[str, str]:
    """The module and name of a column's generator."""
    module = getattr(column.generator, "__module__", None)
    name = getattr(column.generator, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or "<" in name:
        raise DefinitionError(
            f"the generator {column.generator!r} has no name that Python code can import; "
            "define it as a function of a module",
            column=column.name,
        )
    return module, name


def _string(text: str) -> str:
    """A literal in double quotes, unless that would escape more quotes than single ones."""
    literal = repr(text)
    if literal.startswith('"') or text.count('"') > text.count("'"):
        return literal
    return '"' + literal[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
