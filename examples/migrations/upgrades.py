"""What the tests call: alembic's upgrade and downgrade, on the database that a connection is open on."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import URL

HERE = Path(__file__).parent


def upgrade(connection: psycopg.Connection, revision: str = "head") -> None:
    command.upgrade(_config(connection), revision)


def downgrade(connection: psycopg.Connection, revision: str) -> None:
    command.downgrade(_config(connection), revision)


def upgrade_wrongly(connection: psycopg.Connection) -> None:
    """To a revision that passes on every empty database."""
    config = _config(connection)
    config.set_main_option("path_separator", "os")
    folders = (HERE / "scripts" / "versions", HERE / "wrong")
    config.set_main_option("version_locations", os.pathsep.join(map(str, folders)))
    command.upgrade(config, "head")


def _config(connection: psycopg.Connection) -> Config:
    """alembic opens a connection of its own, so that its revisions are one transaction."""
    at, config = connection.info, Config()
    config.set_main_option("script_location", str(HERE / "scripts"))
    where = {"host": at.host, "port": str(at.port)}
    config.attributes["url"] = URL.create(
        "postgresql+psycopg", at.user, at.password or None, database=at.dbname, query=where
    )
    return config
