"""Thousands of histories over two sessions: none of them waits for a lock.

Run it: python -m pytest tests/benchmarks/bench_sessions.py -s
"""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.model.choices import AskingChoices, SeededChoices
from pytest_kroft.model.operations import KINDS, kind
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.postgres.connections import Connection
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import start_server
from tests.definitions import CUSTOMERS, ENUMS, PAIRS, TREE

HISTORIES = 2_500
"""For each of the policies."""
POLICIES = {
    "rows": ("late_commit", "rollback", "delete"),
    "rows, keys, columns": (
        "late_commit", "rollback", "delete", "delete_reinsert", "key_change", "truncate", "add_column",
        "drop_column",
    ),
}  # fmt: skip
"""Two sessions, and what could meet their locks."""


def ours(db: KroftDB) -> list[Connection]:
    """The connection of kroft and those of its sessions."""
    return [db._connections.own, db._connections.session(1), db._connections.session(2)]


@pytest.mark.parametrize("name", POLICIES)
def test_no_history_over_two_sessions_waits_for_a_lock(server: EmbeddedServer, name: str) -> None:
    """A wait of more than 20 ms would end the history with an error that names the lock."""
    policy = EvolutionPolicy.named("everything").only(*POLICIES[name])
    done: Counter[str] = Counter()
    tables = (*ENUMS, CUSTOMERS, PAIRS, TREE)
    with start_server(server.dsn()) as lending, lending.database(*tables, policy=policy) as db:
        begun = db.begun()
        for seed in range(HISTORIES):
            db.end_example()
            anew = not lending.empty(db)
            db.rewind(begun, AskingChoices(SeededChoices(seed).integer), anew=anew)
            for connection in ours(db):
                connection.execute("SET lock_timeout = '20ms'")
            db.run(batches=12, rows=4)
            done.update(map(kind, db.history))
            db.verify()
    for operation in KINDS:
        if done[operation]:
            print(f"{operation:<12} {done[operation]:>7}")
    assert done["begin"] > HISTORIES / 4
    assert done["commit"] + done["rollback"] == done["begin"]
