"""A test run once for each hazard, after a baseline without any, and the table of what it survives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_kroft.plugin.marker import MARKER, asked_of, policy_of
from pytest_kroft.plugin.options import setting

NONE = "none"
"""The baseline: rows are inserted and updated, and nothing dangerous happens."""
EACH = "each"
FIXTURE = "kroft_hazard"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for it once for each hazard."""
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


def note_outcome(item: pytest.Item, report: pytest.TestReport, steps: list[str]) -> None:
    """Note on a report under which hazard the test ran, and the history that made it fail."""
    callspec = getattr(item, "callspec", None)
    hazard = callspec.params.get(FIXTURE) if callspec else None
    if hazard is not None and (report.when == "call" or report.failed):
        report.kroft_hazard = {"test": _without(item.nodeid, hazard), "hazard": hazard, "steps": steps}  # type: ignore[attr-defined]


def _without(nodeid: str, hazard: str) -> str:
    """The name of a test without the hazard that it ran under."""
    head, _, ids = nodeid.partition("[")
    rest = [part for part in ids.removesuffix("]").split("-") if part != hazard]
    return f"{head}[{'-'.join(rest)}]" if rest else head


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show for each test that was run under hazards which of them it survives."""
    outcomes: dict[str, dict[str, Any]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            found = getattr(report, "kroft_hazard", None)
            if found:
                known = outcomes.setdefault(found["test"], {}).setdefault(found["hazard"], ("passed", []))
                if report.outcome != "passed" or known[0] == "passed":
                    outcomes[found["test"]][found["hazard"]] = (report.outcome, found["steps"])
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
    passed = sum(outcome == "passed" for outcome, _ in outcomes.values())
    return [*lines, f"survived {passed} of {len(outcomes)}"]
