"""What a test's database costs: set-up and tear-down of kroft_db beside pytest-postgresql's `postgresql`.

Both on the same server, in turn, so that a slow machine slows both. Run it with `tox -e bench`.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median

import pytest

from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.uri import parameters

TURNS = 30
LARGEST_RATIO = 0.5

PROJECT = """
    import pytest
    from pytest_postgresql import factories
    from pytest_kroft import ColumnDefinition, TableDefinition

    peer_server = factories.postgresql_noproc(host={host!r}, port={port}, user="postgres")
    peer = factories.postgresql("peer_server")
    orders = TableDefinition("orders", [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("amount", "numeric(10,2)"),
        ColumnDefinition("updated_at", "timestamptz"),
    ], updated_at="updated_at")

    @pytest.mark.parametrize("turn", range({turns}))
    class TestInTurn:
        def test_peer(self, turn, peer):
            peer.execute("CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric, at timestamptz)")

        def test_empty(self, turn, kroft_db):
            pass

        @pytest.mark.kroft(orders, rows=10)
        def test_table(self, turn, kroft_db):
            pass
"""


class Durations:
    """Collects what pytest reports of set-up and tear-down, by the test's name."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            name, _, turn = report.location[2].partition("[")
            self.seconds[name.rpartition(".")[2]][turn] += report.duration

    def milliseconds(self, name: str) -> float:
        return median(self.seconds[name].values()) * 1000


def test_a_database_costs_less_than_half_of_the_peer(
    pytester: pytest.Pytester, server: EmbeddedServer
) -> None:
    # The first of each also pays for the session, which the median ignores.
    where = parameters(server.dsn())
    pytester.makepyfile(PROJECT.format(host=where["host"], port=where.get("port", 5432), turns=TURNS))
    durations = Durations()
    outcome = pytester.inline_run(f"--kroft-dsn={server.dsn()}", "-p", "no:xdist", plugins=[durations])
    outcome.assertoutcome(passed=3 * TURNS)
    peer, empty, table = map(durations.milliseconds, ("test_peer", "test_empty", "test_table"))
    print(f"\nset-up and tear-down, median of {TURNS}, in turn on one server:")
    for name, value in {"postgresql": peer, "kroft_db": empty, "kroft_db, a table of 10 rows": table}.items():
        print(f"  {name:<30} {value:7.1f} ms   {value / peer:5.2f}")
    assert table < peer * LARGEST_RATIO
