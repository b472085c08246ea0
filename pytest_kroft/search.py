"""The search for the smallest history that makes a test fail: Hypothesis answers the planners' questions.

A test's body is run for one example after the other, each on the same database, emptied and begun anew. Of
an example Hypothesis draws one number, from which all answers follow. The history of a failing one is then
made smaller itself, by ``model.shrinking``: operations are left out, merged and made plainer as long as the
body fails in the same way, so that none is left that could go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.strategies import SearchStrategy

import pytest_kroft
from pytest_kroft.database import KroftDB
from pytest_kroft.model.choices import AskingChoices, Choices, SeededChoices
from pytest_kroft.model.diagnosis import hazard_names, hazards_in
from pytest_kroft.model.history import History
from pytest_kroft.model.shrinking import fewer_operations, plainer, size, tidied
from pytest_kroft.replay import Recording
from pytest_kroft.server import KroftServer

MOST_RUNS = 1_000
"""How often a body is run to make a failure smaller, at most."""

_INSIDE = tuple(f"{Path(module.__file__ or '').parent}{os.sep}" for module in (pytest_kroft, hypothesis))
"""The folders whose code is not the test's."""
_INSTALLED = f"{os.sep}site-packages{os.sep}"
"""A driver may raise the same error for values of two types in two of its lines."""

Errors = tuple[type[BaseException], ...]
Body = Callable[[], object]
Ask = Callable[[int, int], int]

LARGEST = (1 << 64) - 1


def _plainest(low: int, high: int) -> int:
    del high
    return low


answers: SearchStrategy[Ask] = st.integers(0, LARGEST).map(
    lambda drawn: SeededChoices(drawn).integer if drawn else _plainest
)
"""A function that gives a whole number from its first argument to its second, at each call.

Hypothesis draws one number for all answers of an example, of which 0 gives the simplest ones. Were each
answer drawn by itself, most examples would hardly differ from the one before: Hypothesis begins with small
ones and varies what it has, which serves values, and not histories of some hundred decisions. Its shrinking
is not needed, as a history is made smaller itself.
"""


@dataclass(frozen=True)
class Failure:
    """A failing example: the error, the history that led to it, and which example it was, from 1."""

    error: BaseException
    history: History
    example: int


class Search:
    """Runs a body on one database, example after example, and finds the smallest history that fails.

    What was done to the database when the search was made is done again at the beginning of each example.

    Args:
        server: The server that lent the database.
        database: The database, which the body uses.
        failures: The classes of errors that are failures.
        passes: Classes among them that are none; those of Hypothesis itself never are.
        stops: Classes of errors that end the whole run.
        watched: A hazard of which is to be known whether any example held it.
    """

    def __init__(
        self,
        server: KroftServer,
        database: KroftDB,
        failures: Errors = (Exception,),
        passes: Errors = (),
        stops: Errors = (),
        watched: str | None = None,
    ) -> None:
        self._watched = watched
        self._server, self._database, self._failures = server, database, failures
        self._passes: Errors = (*passes, *stops, HypothesisException)
        self._stops: Errors = (KeyboardInterrupt, *stops)
        self._begun, self._spare = database.begun(), server.sessions(database)
        self._body: Body = lambda: None
        self.examples = self.runs = 0
        """How many examples were run, and how often the body was run to make a failure smaller."""
        self.found: Failure | None = None
        """The first failure, as it was found."""
        self.smallest: Failure | None = None
        """The latest failure, which is the smallest one at the end."""
        self.met: frozenset[str] = frozenset()
        """The hazards that the watched examples held."""
        self.is_smallest = False
        """Whether nothing more could be left out of it."""

    @property
    def begins(self) -> int:
        """How many operations were done before the body begins."""
        return len(self._begun.timeline.history)

    def example(self, ask: Ask, body: Body) -> None:
        """Run the body for one example, whose decisions are drawn; raises what the body raises."""
        self.examples += 1
        self._body = body
        self._begin(AskingChoices(ask))
        try:
            body()
        except self._failures as error:
            if not isinstance(error, self._passes):
                failure = Failure(error, self._database.history, self.examples)
                self.found, self.smallest = self.found or failure, failure
            raise
        finally:
            if self._watched is not None and self._watched not in self.met:
                self.met |= _hazards(self._database.history)

    def minimise(self) -> BaseException:
        """Make the smallest history smaller and plainer until nothing can go; the error it ends in."""
        assert self.smallest is not None, "nothing has failed"
        while self._made_smaller():
            pass
        self.is_smallest = self.runs < MOST_RUNS
        # Last comes the run that everything which is shown belongs to.
        last = self._again(self.smallest.history)
        return last.error if last else self.smallest.error

    def _made_smaller(self) -> bool:
        """Go through all ways to make the smallest history smaller once; whether one of them did."""
        assert self.smallest is not None, "nothing has failed"
        before = size(self.smallest.history)
        for candidates in (fewer_operations, plainer, tidied):
            while smaller := self._first_failing(candidates(self.smallest.history, self.begins)):
                self.smallest = smaller
        return size(self.smallest.history) != before

    def _first_failing(self, candidates: Iterable[History]) -> Failure | None:
        assert self.smallest is not None, "nothing has failed"
        for history in filter(self._is_allowed, candidates):
            if self.runs == MOST_RUNS:
                return None
            self.runs += 1
            failure = self._again(history)
            # A body may do more than it is fed, and then nothing is gained.
            if failure and size(failure.history) < size(self.smallest.history):
                return failure
        return None

    def _is_allowed(self, history: History) -> bool:
        """Whether a history holds no hazard that neither the policy nor the failure has: it would slip."""
        return _hazards(history) <= self._known_hazards

    @cached_property
    def _known_hazards(self) -> frozenset[str]:
        assert self.found is not None, "nothing has failed"
        return _hazards(self.found.history).union(self._database.policy.hazards)

    def _again(self, history: History) -> Failure | None:
        """Run the body on exactly a history; the failure, if it fails as the smallest one does."""
        assert self.smallest is not None, "nothing has failed"
        recording = Recording(history, start=len(self._begun.timeline.history.calls))
        self._begin(AskingChoices(_plainest), recording)
        error = _ends_in(self._body, self._stops)
        if error is None or _origin(error) != _origin(self.smallest.error):
            return None
        return replace(self.smallest, error=error, history=self._database.history)

    def _begin(self, choices: Choices, recording: Recording | None = None) -> None:
        self._database.end_example()
        in_place = self._server.empty(self._database, self._spare)
        self._database.rewind(self._begun, choices, recording, anew=not in_place)


def _ends_in(body: Body, stops: Errors) -> BaseException | None:
    """What a body ends in, run as an example of Hypothesis: ``note`` and ``assume`` work."""
    ended: list[BaseException] = []

    @settings(phases=[Phase.explicit], database=None, deadline=None)
    @example(None)
    @given(st.none())
    def run(_: None) -> None:
        try:
            body()
        except HypothesisException:
            raise
        except stops:
            raise
        except BaseException as error:  # noqa: BLE001  (to be skipped, or to exit, is not to fail as before)
            ended.append(error)

    run()
    return ended[0] if ended else None


def _hazards(history: History) -> frozenset[str]:
    return frozenset(hazard_names(hazards_in(history)))


def _origin(error: BaseException) -> tuple[type[BaseException], str, int]:
    """What failures of one kind share: the class of the error, and where in the test it was raised."""
    place, traceback = ("", 0), error.__traceback__
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        # That of compiled code is relative to where it was compiled.
        if Path(path).is_absolute() and not path.startswith(_INSIDE) and _INSTALLED not in path:
            place = path, traceback.tb_lineno
        traceback = traceback.tb_next
    return (type(error), *place)


def searched(
    search: Search,
    body: Callable[..., object],
    chosen: settings,
    *,
    key: bytes,
    hypothesis_seed: int | None = None,
) -> Callable[..., None]:
    """A test as Hypothesis knows it, which runs the body for each example; its arguments are handed on.

    Args:
        search: Runs the examples.
        body: The test's body, perhaps with ``@settings``, ``@seed`` or ``@reproduce_failure`` on it.
        chosen: The settings.
        key: Tells this test from others in Hypothesis's database of failures.
        hypothesis_seed: Fixes what Hypothesis draws, unless the body has a ``@seed``.
    """

    def test(ask: Ask, **arguments: object) -> None:
        search.example(ask, lambda: body(**arguments))

    test.__name__ = test.__qualname__ = getattr(body, "__name__", "test")
    test.__doc__ = body.__doc__
    for name in ("_hypothesis_internal_use_seed", "_hypothesis_internal_use_reproduce_failure"):
        if hasattr(body, name):
            setattr(test, name, getattr(body, name))
    test._hypothesis_internal_add_digest = key  # type: ignore[attr-defined]  # noqa: SLF001
    wrapped = chosen(given(ask=answers)(test))
    own = hasattr(body, "_hypothesis_internal_use_seed")
    return wrapped if own or hypothesis_seed is None else seed(hypothesis_seed)(wrapped)


def settings_for(body: Callable[..., object], max_examples: int) -> settings:
    """The settings of a search: those of the profile or of the test's own ``@settings``, made fit for it.

    ``max_examples`` is that of the marker, unless ``@settings`` on the test says another number than the
    profile does. Without a deadline of its own a test has none: it talks to a server. No health check is
    made, as the fixtures are reset, and several failures are not told apart.
    """
    profile: settings = settings.default  # type: ignore[assignment]
    own: settings = getattr(body, "_hypothesis_internal_use_settings", profile)
    return settings(
        own,
        max_examples=max_examples if own.max_examples == profile.max_examples else own.max_examples,
        deadline=None if own.deadline == profile.deadline else own.deadline,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[phase for phase in own.phases if phase not in (Phase.shrink, Phase.explain)],
    )


def shrinks(body: Callable[..., object]) -> bool:
    """Whether a failure is made smaller: not where the test's settings leave that phase out."""
    own: Any = getattr(body, "_hypothesis_internal_use_settings", None) or settings.default
    return Phase.shrink in own.phases


def find(
    server: KroftServer,
    database: KroftDB,
    body: Body,
    *,
    max_examples: int = 200,
    hypothesis_seed: int | None = None,
) -> Search:
    """Search without pytest: the search, with its smallest failure if there is one.

    Args:
        server: The server that lent the database.
        database: The database, which the body uses.
        body: Called once for each example.
        max_examples: How many examples are tried.
        hypothesis_seed: Fixes what Hypothesis draws.
    """
    search = Search(server, database)
    chosen = settings(settings_for(body, max_examples), database=None)
    test = searched(search, body, chosen, key=b"", hypothesis_seed=hypothesis_seed)
    try:
        test()
    except Exception:
        if search.smallest is None:
            raise
        search.minimise()
    return search
