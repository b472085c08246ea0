"""Connection strings: both of libpq's forms in, one URI out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import ServerNotFound
from pytest_kroft.postgres.uri import parameters, uri, with_database, without_password

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
HOSTS = st.sampled_from(["localhost", "10.0.0.1", "::1", "/tmp/a b", "/tmp/ü%", "@abstract", "a,b"])
GIVEN = st.fixed_dictionaries(
    {"dbname": WORDS},
    optional={
        "user": WORDS, "password": WORDS, "host": HOSTS, "port": st.sampled_from(["5432", "6000"]),
        "options": WORDS, "application_name": WORDS,
    },
)  # fmt: skip


@given(GIVEN)
def test_libpq_reads_back_what_the_uri_was_made_of(given: dict[str, str]) -> None:
    assert parameters(uri(given)) == given


@given(GIVEN, WORDS)
def test_another_database_changes_nothing_else(given: dict[str, str], name: str) -> None:
    assert parameters(with_database(uri(given), name)) == {**given, "dbname": name}


def test_a_tcp_address_stands_where_every_client_looks_for_it() -> None:
    text = "host=db.example port=6000 user=me password='p@ss/word' dbname=shop sslmode=require"
    assert uri(parameters(text)) == "postgresql://me:p%40ss%2Fword@db.example:6000/shop?sslmode=require"


def test_a_socket_directory_stands_in_the_query() -> None:
    text = "host=/run/pg user=me dbname=shop port=5433"
    assert uri(parameters(text)) == "postgresql://me@/shop?host=/run/pg&port=5433"


def test_a_password_is_left_out_of_messages() -> None:
    assert without_password("postgresql://me:secret@h/shop") == "postgresql://me@h/shop"


@pytest.mark.parametrize("text", ["mysql://root@h/db", "postgresql+psycopg://me@h/db", "http://h"])
def test_another_scheme_is_refused_by_name(text: str) -> None:
    with pytest.raises(ServerNotFound, match=r"scheme '.*postgresql://user:password@host:port/database"):
        parameters(text)


def test_what_libpq_cannot_read_is_refused() -> None:
    with pytest.raises(ServerNotFound, match=r'cannot be read: .*missing "="'):
        parameters("localhost")
