"""What a schema is loaded from, SQL files and functions in order, and the hash that names it."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from pytest_kroft.errors import LoadError
from pytest_kroft.postgres.psql import CopyData, Include, Statement, parts

_FUNCTION = re.compile(r"(?P<name>(?P<module>[^\W\d][\w.]*):(?P<path>[^\W\d][\w.]*))(?:\s+(?P<watched>.*))?")
_INCLUDES = re.compile(r"\\i(?:r|nclude|nclude_relative)?\s")
_ARCHIVE = b"PGDMP"

LoadFunction: TypeAlias = Callable[[Any], object]
Given: TypeAlias = str | PathLike[str] | LoadFunction


@dataclass(frozen=True)
class SqlFile:
    """An SQL file as psql reads it.

    ``name`` is how it was given, ``root`` the folder that paths begin at, ``above`` what includes it.
    """

    name: str
    path: Path
    root: Path
    above: tuple[Path, ...] = ()

    def parts(self) -> Iterator[tuple[str, Statement | CopyData]]:
        """What is to be sent, of included files too, each part with the name of its file.

        Raises LoadError for a file that is not there, is no text, or holds what only psql can do.
        """
        for part in parts(self.text(), self.name):
            if isinstance(part, Include):
                yield from self._included(part).parts()
            else:
                yield self.name, part

    def texts(self) -> Iterator[str]:
        """The text of the file, and of those that it includes."""
        text = self.text()
        yield text
        # To look for them in a long dump takes a while, and most have none.
        if _INCLUDES.search(text):
            for part in parts(text, self.name):
                if isinstance(part, Include):
                    yield from self._included(part).texts()

    def _included(self, part: Include) -> SqlFile:
        path = ((self.path.parent if part.beside else self.root) / part.path).resolve()
        above = (*self.above, self.path.resolve())
        if path in above:
            raise LoadError(f"the file {part.path} includes itself", source=self.name, line=part.line)
        if not path.is_file():
            raise LoadError(f"there is no file {path} to include", source=self.name, line=part.line)
        name = Path(self.name).parent / part.path if part.beside else Path(part.path)
        return SqlFile(str(name), path, self.root, above)

    def text(self) -> str:
        """What the file holds; raises LoadError where it cannot be read as text."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise LoadError(
                f"the file cannot be read: {error.strerror}: {self.path}", source=self.name
            ) from None
        if content.startswith(_ARCHIVE):
            raise LoadError("this is an archive of pg_dump: write it with --format=plain", source=self.name)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            reason = "this is no text in UTF-8: write a dump with --format=plain --encoding=UTF8"
            raise LoadError(reason, source=self.name, line=line) from None


@dataclass(frozen=True)
class Function:
    """A function that is called with a connection; ``watched`` are files and folders that it reads."""

    name: str
    call: LoadFunction
    watched: tuple[Path, ...] = ()

    def texts(self) -> Iterator[str]:
        """What tells the function from others: its name, its module's source, the files that it reads."""
        yield from _of_function(self.name, self.call)
        for path in self.watched:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and "__pycache__" not in file.parts:
                    yield str(file.relative_to(path))
                    yield file.read_bytes().hex()


Source: TypeAlias = SqlFile | Function


@dataclass(frozen=True)
class Load:
    """What a database holds before a test: sources, loaded one after the other."""

    sources: tuple[Source, ...]

    def digest(self, *others: str) -> str:
        """A hash of all that is loaded, and of other texts; raises LoadError for what cannot be read."""
        hashed = blake2b(digest_size=12)
        for text in (*others, *(text for source in self.sources for text in source.texts())):
            encoded = text.encode("utf-8", "surrogatepass")
            hashed.update(len(encoded).to_bytes(8) + encoded)
        return hashed.hexdigest()


Loadable: TypeAlias = Given | Iterable[Given] | Load | None
"""What may be given to be loaded."""


def load_of(given: Loadable, root: Path | None = None) -> Load:
    """What a user gave as a load: one source or several, in order; empty for None.

    Args:
        given: A path of an SQL file, ``"module:function"``, a function, or several of them. After a
            ``"module:function"`` may follow, after a space, the files and folders that it reads.
        root: The folder that relative paths begin at; the working directory if left out.

    Raises:
        LoadError: for a file or function that is not there.
    """
    if isinstance(given, Load):
        return given
    if given is None or isinstance(given, str | PathLike) or callable(given):
        given = [] if given is None else [given]
    return Load(tuple(_source(one, root or Path.cwd()) for one in given))


def _source(given: Given, root: Path) -> Source:
    if callable(given):
        return Function(_name_of(given), given)
    if isinstance(given, str) and (found := _FUNCTION.fullmatch(given.strip())):
        watched = tuple(root / path for path in shlex.split(found["watched"] or ""))
        for path in watched:
            if not path.exists():
                raise LoadError(f"there is no file or folder {path}", source=given)
        return Function(found["name"], _imported(found["name"], found["module"], found["path"]), watched)
    if not isinstance(given, str | PathLike):
        raise LoadError(f"a load is a path, 'module:function' or a function, not {given!r}")
    path = root / given
    if not path.is_file():
        raise LoadError(
            f"there is no file {path}; name an SQL file, or a function as module:function", source=str(given)
        )
    return SqlFile(str(given), path, root)


def _imported(name: str, module: str, path: str) -> LoadFunction:
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise LoadError(f"its module cannot be imported: {error}", source=name) from error
        reason = f"there is no module {error.name!r}; add its folder to pytest's setting pythonpath"
        raise LoadError(reason, source=name) from None
    except Exception as error:
        raise LoadError(
            f"its module cannot be imported: {type(error).__name__}: {error}", source=name
        ) from error
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            raise LoadError(f"{module} has no function {path!r}", source=name)
        found = getattr(found, attribute)
    if not callable(found):
        raise LoadError(f"{path!r} in {module} is no function but {found!r}", source=name)
    function: LoadFunction = found
    return function


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def _of_function(name: str, function: Any) -> Iterator[str]:
    """The texts that tell a function from others; of a nested one what it closes over, too."""
    while isinstance(function, partial):
        yield repr((function.args, sorted(function.keywords.items())))
        function = function.func
    module = inspect.getmodule(function) or inspect.getmodule(type(function))
    try:
        source = inspect.getsource(module) if module else ""
    except (OSError, TypeError):
        source = ""
    if not source:
        raise LoadError("its source cannot be read: move it into a module, a file", source=name)
    code = getattr(function, "__code__", None)
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    yield from (name, source, str(code.co_firstlineno) if code else repr(function), repr(cells))
