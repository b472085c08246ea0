"""The rows of a table behave as a plain dict that is copied at every change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.rows import CHUNK, Address, Row, Rows
from tests.definitions import MODEST

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 2 * CHUNK + 1)),
        st.tuples(st.just("late"), st.integers(0, 10**6)),
        st.tuples(st.just("change"), st.integers(0, 10**6)),
        st.tuples(st.just("remove"), st.integers(0, 10**6)),
        st.tuples(st.just("remove all but"), st.integers(0, 10**6)),
    ),
    max_size=12,
)


@MODEST
@given(STEPS)
def test_rows_behave_as_a_plain_dict(steps):
    rows, last = Rows(), 0
    model: dict[int, Row] = {}
    for stamp, (step, number) in enumerate(steps):
        before, kept = rows, dict(model)
        if step == "append":
            new = [Row(last + offset, stamp) for offset in range(1, number + 1)]
            last += number
            rows = rows.put(new)
            model.update({row.number: row for row in new})
        elif step == "late":
            missing = [n for n in range(1, last) if n not in model]
            new = [Row(n, stamp) for n in missing[:: -1 - number % 5]]
            rows = rows.put(new)
            model = dict(sorted({**model, **{row.number: row for row in new}}.items()))
        elif model and step == "change":
            chosen = list(model)[number % len(model) :: 7]
            changed = [model[n].with_cells({stamp: "x"}) for n in chosen]
            rows = rows.put(changed)
            model.update(zip(chosen, changed, strict=True))
        elif model:
            pick = list(model)[number % len(model)]
            gone = [pick] if step == "remove" else [n for n in model if n != pick]
            rows = rows.remove(gone)
            model = {n: row for n, row in model.items() if n not in gone}
        assert list(before) == list(kept.values())
        assert list(rows) == [model[n] for n in sorted(model)]
        assert rows.numbers == sorted(model)
        assert len(rows) == len(model)
        assert all(n in rows and rows[n] is model[n] for n in model)
        assert last + 1 not in rows
        assert 0 not in rows


def test_a_row_that_is_not_there_is_a_key_error():
    rows = Rows().put([Row(1, 0)])
    for number in (2, CHUNK * 3):
        with pytest.raises(KeyError):
            rows[number]
        with pytest.raises(KeyError):
            rows.remove([number])
    assert rows.numbers == [1]


def test_equal_rows_are_equal_however_they_came_about():
    one = Rows().put([Row(1, 0), Row(CHUNK + 1, 0)]).remove([CHUNK + 1])
    assert one == Rows().put([Row(1, 0)])
    assert one != Rows()
    assert one != [Row(1, 0)]
    with pytest.raises(TypeError):
        hash(one)


def test_a_row_is_changed_into_a_new_one():
    row = Row(1, 5)
    changed = row.with_cells({3: "a"}).with_cells({4: Address(1, 2, 6)})
    assert (row.cells, dict(changed.cells)) == ({}, {3: "a", 4: Address(1, 2, 6)})
    assert (changed.number, changed.stamp) == (1, 5)
    with pytest.raises(TypeError):
        row.cells[3] = "b"  # type: ignore[index]


def test_a_change_shares_the_chunks_that_it_does_not_touch():
    rows = Rows().put(Row(number, 0) for number in range(1, 5 * CHUNK))
    changed = rows.put([rows[1].with_cells({1: "x"})])
    assert sum(rows._chunks[place] is not changed._chunks[place] for place in rows._chunks) == 1
