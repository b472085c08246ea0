"""The simulation: batches of mutations, the schema evolving between them."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Delete,
    Insert,
    Rollback,
    RowOperation,
    Sync,
    Update,
    kind,
)
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy, as_policy
from pytest_kroft.simulation import SimulationRunner
from tests.definitions import CUSTOMERS, LOG, ORDERS, committed, timeline


def runner(made: Timeline, policy: EvolutionPolicy | str = "everything", seed: int = 1) -> SimulationRunner:
    choices, chosen = SeededChoices(seed), as_policy(policy)
    mutations = MutationEngine(made, choices, chosen)
    return SimulationRunner(made, choices, mutations, EvolutionController(made, choices, chosen))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_reports_what_it_did(policy):
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    start = len(made.history)
    report = runner(made, policy).run(10, 20)
    done = made.history.operations[start:]
    shown = [committed(before, op) for before, op, _ in made.history.states()][start:]
    writes = [op for ops in shown for op in ops]
    assert (report.seed, report.operations, len(report.batches)) == (1, len(done), 10)
    assert report.inserted == sum(op.count for op in writes if isinstance(op, Insert))
    assert report.updated == sum(len(op.rows) for op in writes if isinstance(op, Update))
    assert report.transactions == sum(bool(ops) and isinstance(ops[0], RowOperation) for ops in shown)
    assert report.deleted >= sum(len(op.rows) for op in writes if isinstance(op, Delete))
    assert sum(batch.rows for batch in report.batches) == report.inserted + report.updated + report.deleted
    assert sum(isinstance(op, Sync) for op in done) == 10
    assert isinstance(done[-1], Sync)
    evolved = [op for batch in report.batches for op in batch.evolved]
    assert {kind(op) for op in evolved} <= report.schema_changes.keys()
    assert f"10 batches, {len(done)} operations (seed 1)" in str(report)
    assert f"{report.inserted} inserted, {report.updated} updated, {report.deleted} deleted" in str(report)


def test_a_second_run_reports_only_what_it_did_itself():
    made = timeline(LOG, rows=3)
    simulation = runner(made, "calm")
    simulation.run(5, 10)
    start = len(made.history)
    report = simulation.run(5, 10)
    done = made.history.operations[start:]
    assert report.inserted == sum(op.count for op in done if isinstance(op, Insert))
    assert report.operations == len(done)


def test_a_stream_yields_after_each_batch():
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    numbers = []
    for batch in runner(made).stream(6, 10):
        numbers.append((batch.number, batch.batches))
        assert isinstance(made.history[-1], Sync)
        assert batch.version == made.state.version
    assert numbers == [(number, 6) for number in range(1, 7)]


@pytest.mark.parametrize(
    "hazards, ends",
    [({"late_commit"}, Commit), ({"rollback"}, Rollback), ({"late_commit", "rollback"}, Commit)],
)
def test_no_transaction_is_open_after_the_last_batch(hazards, ends):
    open_before_the_end = 0
    for seed in range(10):
        made = timeline(CUSTOMERS, ORDERS, rows=3)
        runner(made, EvolutionPolicy(hazards), seed).run(4, 10)
        *_, last, sync = made.history
        assert made.state.sessions == {}
        assert isinstance(sync, Sync)
        open_before_the_end += isinstance(last, ends)
        begun = sum(isinstance(op, Begin) for op in made.history)
        assert begun == sum(isinstance(op, Commit | Rollback) for op in made.history)
    assert open_before_the_end


def test_what_a_consumer_stops_is_not_done():
    made = timeline(CUSTOMERS, rows=3)
    stream = runner(made).stream(100, 10)
    next(stream)
    length = len(made.history)
    stream.close()  # type: ignore[attr-defined]
    assert len(made.history) == length


def test_a_batch_changes_no_more_rows_than_wanted_where_rows_have_keys():
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    assert all(batch.rows <= 8 for batch in runner(made, "calm").stream(40, 8))


@pytest.mark.parametrize("batches, rows", [(0, 5), (5, 0), (-1, 5)])
def test_a_simulation_needs_a_batch_a_row_and_a_table(batches, rows):
    made = timeline(LOG)
    before = len(made.history)
    for call in (runner(made).run, runner(made).stream):
        with pytest.raises(NotApplicable, match="at least 1 batch and 1 row"):
            call(batches, rows)
    with pytest.raises(NotApplicable, match="no table to change"):
        runner(Timeline(1)).stream()
    assert len(made.history) == before


@pytest.mark.parametrize("batches, rows", [("x", 5), (5, 2.5), (None, 5), (True, 5)])
def test_batches_and_rows_are_whole_numbers(batches, rows):
    for call in (runner(timeline(LOG)).run, runner(timeline(LOG)).stream):
        with pytest.raises(NotApplicable, match=r"must be a whole number, not ('x'|2\.5|None|True)"):
            call(batches, rows)


def test_the_same_seed_runs_the_same():
    def history(seed: int) -> list:
        made = timeline(CUSTOMERS, ORDERS, LOG, rows=3)
        runner(made, seed=seed).run(10, 20)
        return made.history.operations

    assert history(4) == history(4)
    assert history(4) != history(5)
