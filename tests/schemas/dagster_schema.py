"""The schema of Dagster's storage: runs, events and schedules, made at its newest alembic revision."""

from __future__ import annotations

import psycopg

from tests.schemas.migrating import migrate, url

SCRIPT = """
import os
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

for storage in (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage):
    storage(os.environ["KROFT_URL"])
"""


def load(connection: psycopg.Connection) -> None:
    """Make the tables of Dagster's storage in the database that the connection is open on."""
    settings = {
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DAGSTER_HOME": "{folder}",
        "KROFT_URL": url(connection, "postgresql"),
    }
    migrate(SCRIPT, settings)
