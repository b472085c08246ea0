"""The schema of Apache Airflow's metadata: a scheduler of jobs, brought to head by its alembic migrations."""

from __future__ import annotations

import psycopg

from tests.schemas.migrating import migrate, url

SCRIPT = """
from airflow.utils.db import initdb

initdb(use_migration_files=True)
"""


def load(connection: psycopg.Connection) -> None:
    """Make Airflow's tables in the database that the connection is open on."""
    settings = {
        "AIRFLOW_HOME": "{folder}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url(connection, "postgresql+psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url(connection),
    }
    migrate(SCRIPT, settings)
