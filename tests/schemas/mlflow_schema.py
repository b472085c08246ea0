"""The schema of MLflow's tracking store: experiments and models, by create_all and alembic migrations."""

from __future__ import annotations

import psycopg

from tests.schemas.migrating import migrate, url

SCRIPT = """
import os
from sqlalchemy import create_engine
from mlflow.store.db.utils import _initialize_tables

_initialize_tables(create_engine(os.environ["KROFT_URL"]))
"""


def load(connection: psycopg.Connection) -> None:
    """Make MLflow's tables in the database that the connection is open on."""
    settings = {
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "KROFT_URL": url(connection),
    }
    migrate(SCRIPT, settings)
