"""The schema of Prefect's server: flows, their runs and events, by its alembic migrations."""

from __future__ import annotations

import psycopg

from tests.schemas.migrating import migrate, url

SCRIPT = """
import anyio
from prefect.server.database.alembic_commands import alembic_upgrade


async def upgrade():
    await anyio.to_thread.run_sync(alembic_upgrade)


anyio.run(upgrade)
"""


def load(connection: psycopg.Connection) -> None:
    """Make the tables of Prefect's server in the database that the connection is open on."""
    settings = {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": "{folder}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": url(connection, "postgresql+asyncpg"),
    }
    migrate(SCRIPT, settings)
