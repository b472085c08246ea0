"""A test run once for each hazard, after a baseline without any, and the table of what it survives."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from typing import Any

import pytest

from pytest_kroft.plugin.marker import MARKER, asked_of, policy_of
from pytest_kroft.plugin.options import setting

NONE = "none"
"""The baseline: rows are inserted and updated, and nothing dangerous happens."""
EACH = "each"
UNSEEN = "unseen"
"""The outcome of a test that has passed without meeting its hazard."""
FIXTURE = "kroft_hazard"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """Run a test that asks for it once for each hazard, with each value of its other parameters."""
    yield
    # After all others: so the hazard is the last part of the test's id, and ``_without`` finds it there.
    _parametrize(metafunc)


def _parametrize(metafunc: pytest.Metafunc) -> None:
    """Add the hazards to the parameters of a test; raises CollectError where one is unknown."""
    test = metafunc.definition
    if "kroft_db" not in metafunc.fixturenames or not test.get_closest_marker(MARKER):
        return
    option = setting(metafunc.config, "hazards")
    try:
        asked = asked_of(test).hazards
    except pytest.UsageError:
        # It is told once all tests are known: here it would keep the whole file from being collected.
        return
    wanted, where = (option, "--kroft-hazards") if option else (asked, f"{test.nodeid}: @pytest.mark.kroft")
    if wanted:
        try:
            names = hazards_to_run(wanted, policy_of(test), where)
        except pytest.UsageError as error:
            # Of any other error pytest would show the traceback.
            raise pytest.Collector.CollectError(str(error)) from None
        metafunc.parametrize(FIXTURE, names, indirect=True, ids=names)


def hazards_to_run(wanted: Any, policy: Any, where: str) -> list[str]:
    """The baseline and the hazards, in the order of the reports; raises UsageError for what is none."""
    from pytest_kroft.errors import DefinitionError
    from pytest_kroft.model.hazards import HAZARDS, check_hazards

    names = _names(wanted)
    if names == [EACH]:
        return [NONE, *(name for name in HAZARDS if policy is None or name in policy.hazards)]
    try:
        chosen = check_hazards(name for name in names if name != NONE)
    except DefinitionError as error:
        raise pytest.UsageError(f"{where}: hazards: {error}; or 'each'") from None
    return [NONE, *(name for name in HAZARDS if name in chosen)]


def _names(wanted: Any) -> list[str]:
    if isinstance(wanted, str):
        return [name.strip() for name in wanted.split(",") if name.strip()]
    return [str(name) for name in wanted] if isinstance(wanted, Iterable) else [repr(wanted)]


def policy_under(hazard: str | None, policy: Any) -> Any:
    """The policy of a test that is run for one hazard: that hazard, what it implies, and nothing else."""
    from pytest_kroft.planning.policy import as_policy

    if hazard is None:
        return policy
    return as_policy(policy).only(*([] if hazard == NONE else [hazard]))


def note_outcome(
    item: pytest.Item, report: pytest.TestReport, steps: list[str], met: Collection[str]
) -> None:
    """Note on a report under which hazard the test ran, if it met it, and the history that made it fail."""
    callspec = getattr(item, "callspec", None)
    hazard = callspec.params.get(FIXTURE) if callspec else None
    if hazard is not None and (report.when == "call" or report.failed):
        unseen = report.passed and hazard != NONE and hazard not in met
        outcome = UNSEEN if unseen else report.outcome
        noted = {"test": _without(item), "hazard": hazard, "outcome": outcome, "steps": steps}
        report.kroft_hazard = noted  # type: ignore[attr-defined]


def _without(item: Any) -> str:
    """The name of a test, with its other parameters, without the hazard that it ran under."""
    # Not cut out of the node id: there pytest-xdist adds the group of a test.
    rest, others, _ = item.callspec.id.rpartition("-")
    ids = f"[{rest}]" if others else ""
    return f"{item.parent.nodeid}::{item.originalname}{ids}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show for each test that was run under hazards which of them it survives."""
    outcomes: dict[str, dict[str, Any]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            found = getattr(report, "kroft_hazard", None)
            if found:
                known = outcomes.setdefault(found["test"], {})
                # A test may pass, and fail as it is torn down.
                if report.failed or found["hazard"] not in known:
                    known[found["hazard"]] = (found["outcome"], found["steps"])
    for test, hazards in sorted(outcomes.items()):
        terminalreporter.section(f"hazards: {test}")
        for line in table(hazards):
            terminalreporter.line(line)


def table(outcomes: dict[str, tuple[str, list[str]]]) -> list[str]:
    """The lines of one test's table: hazard, outcome, and the steps of the history that made it fail."""
    from pytest_kroft.model.hazards import HAZARDS

    width = max(map(len, outcomes))
    lines = []
    for hazard in (name for name in (NONE, *HAZARDS) if name in outcomes):
        outcome, steps = outcomes[hazard]
        lines.append(f"{hazard:<{width}}  {outcome:<7}  {steps[0] if steps else ''}".rstrip())
        lines += [f"{'':<{width}}  {'':<7}  {step}" for step in steps[1:]]
    counted = [outcome for outcome, _ in outcomes.values()]
    unseen = counted.count(UNSEEN)
    never = f"; {unseen} never came, which a table or a policy may rule out" if unseen else ""
    return [*lines, f"survived {counted.count('passed')} of {len(counted) - unseen}{never}"]
