"""Runs a package's own migrations in a process of their own, in a folder that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlencode

import psycopg


def url(connection: psycopg.Connection, scheme: str = "postgresql+psycopg") -> str:
    """The SQLAlchemy URL of the database that a connection is open on: a host may be a socket's folder."""
    info = connection.info
    user = quote(info.user, safe="")
    password = f":{quote(info.password, safe='')}" if info.password else ""
    options = urlencode({"host": info.host, "port": info.port}, quote_via=quote, safe="")
    return f"{scheme}://{user}{password}@/{quote(info.dbname, safe='')}?{options}"


def migrate(script: str, settings: Mapping[str, str]) -> None:
    """Run a script with only these environment variables beside PATH, in an empty folder that is its home.

    Raises:
        RuntimeError: The script failed; the end of what it printed is the message.
    """
    with TemporaryDirectory(prefix="kroft-schema-") as folder:
        home = {"HOME": folder, "TMPDIR": folder, "PATH": os.environ.get("PATH", os.defpath)}
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env={**home, **{name: value.replace("{folder}", folder) for name, value in settings.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"The migrations failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
