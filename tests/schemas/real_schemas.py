"""Schemas of real packages, made by the migrations that they ship: run with `tox -e schemas`.

The file's name keeps it out of the default run, as the packages are not installed there.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.schemas import airflow_schema, dagster_schema, mlflow_schema, prefect_schema, wagtail_schema

FEWEST_TABLES = 20

Load = Callable[[psycopg.Connection], None]


def tables(connection: psycopg.Connection) -> list[str]:
    """The names of the tables of the schema public."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    return [name for (name,) in connection.execute(query)]


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
def test_a_real_schema_loads(connection: psycopg.Connection, load: Load, known: set[str]) -> None:
    load(connection)
    made = tables(connection)
    assert known <= set(made)
    assert len(made) >= FEWEST_TABLES
