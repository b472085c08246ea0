"""The server that lends the gallery's databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import KroftServer, start_server


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    """A server of databases that can be emptied and used again."""
    with start_server(server.dsn()) as lending:
        yield lending
