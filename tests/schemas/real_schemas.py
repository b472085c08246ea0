"""Schemas of real packages, made by the migrations that they ship: run with `tox -e schemas`.

The file's name keeps it out of the default run, as the packages are not installed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from pytest_kroft import KroftServer, start_server
from tests.schemas import airflow_schema, dagster_schema, mlflow_schema, prefect_schema, wagtail_schema

FEWEST_TABLES = 20
ROWS, BATCHES = 500, 50
MOST_UNFILLED = 0.02
"""The share of a schema's tables that may stay empty."""
FEWER: dict[str, set[str]] = {"airflow": {"asset_active"}}
"""The tables whose keys keep fewer rows than that apart."""

Load = Callable[[psycopg.Connection], None]


@pytest.fixture(scope="module")
def lender() -> Iterator[KroftServer]:
    """A server of this module's own, whose templates end with it."""
    with start_server() as lending:
        yield lending


@pytest.mark.parametrize(
    "load, known",
    [
        pytest.param(airflow_schema.load, {"dag_run", "task_instance"}, id="airflow"),
        pytest.param(dagster_schema.load, {"event_logs", "runs", "jobs"}, id="dagster"),
        pytest.param(mlflow_schema.load, {"experiments", "spans"}, id="mlflow"),
        pytest.param(prefect_schema.load, {"flow_run", "work_pool"}, id="prefect"),
        pytest.param(wagtail_schema.load, {"auth_user", "wagtailcore_page"}, id="wagtail"),
    ],
)
def test_a_real_schema_is_adopted_filled_and_evolved(
    lender: KroftServer, request: pytest.FixtureRequest, load: Load, known: set[str]
) -> None:
    with lender.database(load=load, seed=1, policy="breaking") as db:
        adopted = db.adopt()
        names = set(db.state.tables)
        assert known <= names
        assert len(names) >= FEWEST_TABLES
        assert db.verify()
        short = db.fill(ROWS)
        print(adopted, *(f"\n  fewer rows in {name}: {why}" for name, why in short.items()))
        empty = [name for name in names if not db.state.table(name).rows]
        assert len(empty) < MOST_UNFILLED * len(names), empty
        assert set(short) <= FEWER.get(request.node.callspec.id, set()), short
        db.run(batches=BATCHES)
        assert db.evolution.summary()
        assert db.verify()
