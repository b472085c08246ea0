r"""SQL files as ``pg_dump`` writes and ``psql`` reads them: a text in, its parts out.

Where a statement ends, what ``COPY ... FROM stdin`` takes for data and what a line with a backslash means
follow psql's documentation (https://www.postgresql.org/docs/current/app-psql.html) and its scanner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from pytest_kroft.errors import LoadError


@dataclass(frozen=True)
class Statement:
    """One statement without its semicolon, and the line that it begins in."""

    line: int
    text: str


@dataclass(frozen=True)
class CopyData:
    """A ``COPY ... FROM stdin``, the rows that follow it, and the line that the first of them is in."""

    line: int
    text: str
    data_line: int
    data: str


@dataclass(frozen=True)
class Include:
    r"""Another file to read here; with ``beside`` (``\ir``) its path begins at this file's folder."""

    line: int
    path: str
    beside: bool


Part: TypeAlias = Statement | CopyData | Include

_HARMLESS = frozenset({
    "restrict", "unrestrict", "echo", "qecho", "warn", "timing", "errverbose", "pset", "x", "a", "t", "H",
    "C", "f", "T",
})  # fmt: skip
"""Commands that guard psql itself, or say how it shows results, which nobody sees here."""
_HARMLESS_SETTINGS = frozenset({"ECHO", "ECHO_HIDDEN", "FETCH_COUNT", "QUIET", "SHOW_CONTEXT", "VERBOSITY"})
"""Variables of psql's own that say what it shows."""

_OWN_DATABASE = (
    "kroft loads into a database that it makes itself: write the dump with pg_dump, and without --create"
)
_NO_CONDITIONS = "kroft reads a file from its first line to its last: write one file for each case"
_NO_VARIABLES = "kroft knows no variables of psql: write the value where it is used"
_STANDARD_STRINGS = (
    "backslashes in plain strings are refused: write the dump from a database whose "
    "standard_conforming_strings is on"
)
_NO_EXECUTION = "kroft runs statements as they are written: end the statement with ;"
_WRITE_A_FUNCTION = "write a function in Python for it, and load it as module:function"
_STOPS = "kroft stops at the first error: delete the line"
_HELP = {
    "gexec": "write the statements out, or " + _WRITE_A_FUNCTION,
    "connect": _OWN_DATABASE, "c": _OWN_DATABASE,
    "if": _NO_CONDITIONS, "elif": _NO_CONDITIONS, "else": _NO_CONDITIONS, "endif": _NO_CONDITIONS,
    "q": _NO_CONDITIONS, "quit": _NO_CONDITIONS,
    "set": _NO_VARIABLES, "unset": _NO_VARIABLES, "gset": _NO_VARIABLES, "getenv": _NO_VARIABLES,
    "prompt": _NO_VARIABLES,
    "g": _NO_EXECUTION, "gx": _NO_EXECUTION, "crosstabview": _NO_EXECUTION, "gdesc": _NO_EXECUTION,
    "watch": _NO_EXECUTION, ";": _NO_EXECUTION,
    "copy": "write COPY ... FROM stdin, and the rows after it as pg_dump does",
    ".": r"\. ends the rows of a COPY ... FROM stdin, and there is none: delete the line",
}  # fmt: skip
"""What to do instead of a command; for the others there is Python."""

_INCLUDES = {"i": False, "include": False, "ir": True, "include_relative": True}
"""Whether a command's path begins at the folder of the file that it stands in."""

_START, _WORD = r"A-Za-z_\x80-\U0010ffff", r"A-Za-z0-9_$\x80-\U0010ffff"
_DOLLARS = rf"\$(?:[{_START}][{_WORD.replace('$', '')}]*+)?\$"
_BLANK = r"[ \t\n\r\f\v]"
_TOKEN = re.compile(
    rf"""
    (?P<blank>{_BLANK}++ | --[^\n\r]*+)
  | (?P<comment>/\*)
  | (?P<extended>[eE]'(?:[^'\\]++|\\.|'')*+' (?:[ \t\r\f\v]*\n{_BLANK}*'(?:[^'\\]++|\\.|'')*+')*+)
  | (?P<quoted>'(?:[^']++|'')*+' | "(?:[^"]++|"")*+" | (?P<dollar>{_DOLLARS}) .*? (?P=dollar))
  | (?P<unclosed>[eE]?' | " | {_DOLLARS})
  | (?P<word>[{_START}][{_WORD}]*+ | [0-9$][{_WORD}]*+)
  | (?P<command>\\(?P<name>[a-zA-Z_]+|[^\s])?(?P<arguments>[^\n]*))
  | (?P<open>\() | (?P<close>\)) | (?P<end>;)
  | [^ \t\n\r\f\v'"\\();A-Za-z0-9_$\x80-\U0010ffff/-]++ | .
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_DATA_END = re.compile(r"^\\\.\r?$", re.MULTILINE)
_REST_OF_LINE = re.compile(r"[ \t\r\f\v]*(?:--[^\n]*)?(?:\n|\Z)")
_ROUTINE = re.compile(r"create (or replace )?(function|procedure)\b")
_DATABASE = re.compile(r"(create|drop) database\b")
_ON = frozenset({"", "on", "1", "true", "yes"})
_OTHER_STRINGS = re.compile(
    r"set\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|to)\s*'?(?:off|false|no|0)",
    re.IGNORECASE,
)


def parts(text: str, source: str = "") -> Iterator[Part]:
    r"""The statements, COPY data and included files of an SQL text, in order.

    Args:
        text: The whole file; lines are counted at ``\n``.
        source: The file's name, for errors.

    Raises:
        LoadError: for what only psql can do, with the line and what to do instead; for a quote or a comment
            without an end, and for COPY data without one.
    """
    return _Reader(text, source).parts()


@dataclass
class _Begun:
    """A statement up to now: where it begins, its first words outside of parentheses, what is open."""

    start: int = -1
    words: list[str] = field(default_factory=list)
    parentheses: int = 0
    blocks: int = 0

    def word(self, word: str) -> None:
        """Take in a word that stands outside of parentheses."""
        self.words.append(word)
        if word in ("begin", "case", "end") and _ROUTINE.match(" ".join(self.words[:4])):
            # In a body that begins with BEGIN ATOMIC, and nowhere else, semicolons are inside of it.
            opens = word == "begin" or (word == "case" and self.blocks > 0)
            self.blocks = max(0, self.blocks + (1 if opens else -1 if word == "end" else 0))

    @property
    def reads_data(self) -> bool:
        """Whether it is a COPY whose rows follow it."""
        return self.words[:1] == ["copy"] and ("from", "stdin") in pairwise(self.words)


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._counted, self._line = 0, 1

    def parts(self) -> Iterator[Part]:
        position, begun = 0, _Begun()
        while position < len(self._text):
            token = _TOKEN.match(self._text, position)
            assert token is not None, "the last alternative takes any character"
            kind, start, position = token.lastgroup, position, token.end()
            match kind:
                case "blank":
                    continue
                case "comment":
                    position = self._after_comment(start)
                    continue
                case "command":
                    yield from self._command(token, begun)
                    continue
                case "end" if begun.start < 0:
                    continue
                case "end" if not begun.parentheses and not begun.blocks:
                    part, position = self._ended(begun, start, position)
                    yield part
                    begun = _Begun()
                    continue
                case "unclosed":
                    raise self._refused(start, f"the quote {token[0]} is not closed: close it")
                case _:
                    self._take(begun, kind, token)
            begun.start = start if begun.start < 0 else begun.start
        if begun.start >= 0:
            # psql too sends what stands at the end of a file without a semicolon.
            yield self._ended(begun, len(self._text), len(self._text))[0]

    def _take(self, begun: _Begun, kind: str | None, token: re.Match[str]) -> None:
        if kind == "word" and not begun.parentheses:
            begun.word(token[0].lower())
        elif kind == "open":
            begun.parentheses += 1
        elif kind == "close":
            begun.parentheses = max(0, begun.parentheses - 1)

    def _ended(self, begun: _Begun, end: int, after: int) -> tuple[Part, int]:
        """The statement that ends at a position, with the data that follows it, and where to go on."""
        line, text = self._line_of(begun.start), self._text[begun.start : end].rstrip()
        if _DATABASE.match(" ".join(begun.words[:2])):
            words = " ".join(begun.words[:2]).upper()
            raise self._refused(begun.start, f"{words} is refused: {_OWN_DATABASE}")
        if _OTHER_STRINGS.match(text):
            raise self._refused(begun.start, _STANDARD_STRINGS)
        if not begun.reads_data:
            return Statement(line, text), after
        rest = _REST_OF_LINE.match(self._text, after)
        if rest is None:
            raise self._refused(after, "the rows of a COPY begin in the next line: move the rest of this one")
        closing = _DATA_END.search(self._text, rest.end())
        if closing is None:
            raise self._refused(begun.start, r"the rows of this COPY have no end: it is a line with \. alone")
        data = self._text[rest.end() : closing.start()]
        return CopyData(line, text, self._line_of(rest.end()), data), closing.end()

    def _command(self, token: re.Match[str], begun: _Begun) -> Iterator[Include]:
        name, arguments = token["name"] or "", token["arguments"].strip()
        known = name in _INCLUDES or _is_harmless(name, arguments)
        if begun.start >= 0 and known:
            raise self._refused(
                token.start(), rf"\{name} stands inside of a statement: end that with ; before"
            )
        if name in _INCLUDES:
            yield Include(self._line_of(token.start()), _unquoted(arguments), _INCLUDES[name])
        elif not known:
            help_ = _STOPS if arguments.startswith("ON_ERROR_STOP") else _HELP.get(name, _WRITE_A_FUNCTION)
            raise self._refused(token.start(), rf"only psql knows \{name}: {help_}")

    def _after_comment(self, start: int) -> int:
        depth, position = 0, start
        while mark := _COMMENT_MARK.search(self._text, position):
            depth, position = depth + (1 if mark[0] == "/*" else -1), mark.end()
            if depth == 0:
                return position
        raise self._refused(start, "the comment /* is not closed: close it with */")

    def _line_of(self, position: int) -> int:
        # Lines are asked for in order, and each is counted once.
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        return self._line

    def _refused(self, position: int, reason: str) -> LoadError:
        return LoadError(reason, source=self._source, line=self._line_of(position))


def _is_harmless(name: str, arguments: str) -> bool:
    if name == "encoding":
        return arguments.strip("'").lower() in ("utf8", "utf-8", "unicode")
    if name != "set":
        return name in _HARMLESS
    variable, _, value = arguments.partition(" ")
    return variable in _HARMLESS_SETTINGS or (
        variable == "ON_ERROR_STOP" and value.strip(" '").lower() in _ON
    )


def _unquoted(argument: str) -> str:
    """A command's one argument: in single quotes a quote in it is doubled."""
    if len(argument) > 1 and argument[0] == argument[-1] == "'":
        return argument[1:-1].replace("''", "'")
    return argument
