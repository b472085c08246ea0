"""What a database of a fixture with a wider scope gets does not depend on the test that comes first."""

from __future__ import annotations

import re
import shlex

import pytest

from pytest_kroft.model.choices import derive_seed
from tests.plugin.conftest import Project, facts, own_seeds
from tests.plugin.test_failure_section import differences, section
from tests.plugin.test_keep import kept

CONFTEST = """
import pytest
from tables import orders

def opening(scope):
    @pytest.fixture(scope=scope, name=f"{scope}_db")
    def opened(kroft_server):
        with kroft_server.database(orders, rows=3) as db: yield db
    return opened

of_session, of_package, of_module, of_class = map(opening, ["session", "package", "module", "class"])
SCOPES = "session", "package", "module", "class"

@pytest.fixture
def tell(request):
    for scope in SCOPES:
        db = request.getfixturevalue(f"{scope}_db")
        print(f"\\nSEED {request.node.name}:{scope}={db.seed}")
        print(f"\\nSEED {request.node.name}:{scope}:test={db.history.test}")
"""
TELLING = """
class TestIt:
    def test_one(self, tell): pass
    @pytest.mark.kroft(seed=8)
    def test_two(self, tell, kroft_server, kroft_seed):
        with kroft_server.database(orders) as db: assert db.seed == kroft_seed == 8
"""
SHARED = """
@pytest.fixture(scope="module")
def shared(kroft_server):
    with kroft_server.database(orders, rows=3) as db: yield db
"""


@pytest.mark.parametrize("first", ["one", "two"])
def test_its_seed_is_derived_from_where_the_fixture_belongs(project: Project, first: str) -> None:
    project.write("some/conftest.py", CONFTEST)
    project.write("some/__init__.py", "")
    project.write("some/test_it.py", TELLING)
    told = own_seeds(str(project.run("-s", "--kroft-seed=5", "-k", first).stdout))
    homes = {"package": "some", "module": "some/test_it.py", "class": "some/test_it.py::TestIt"}
    for scope, home in {"session": "", **homes}.items():
        assert told[f"test_{first}:{scope}"] == str(derive_seed(5, home))
        assert told[f"test_{first}:{scope}:test"] == (home or "None")


def test_a_fixture_of_class_scope_without_a_class_is_the_tests_own(project: Project) -> None:
    project.write("conftest.py", CONFTEST)
    project.write("test_it.py", "def test_it(class_db, kroft_seed): assert class_db.seed == kroft_seed")
    project.run().assert_outcomes(passed=1)


def test_a_test_asks_for_itself_after_a_wider_fixture(project: Project) -> None:
    body = """
@pytest.fixture(scope="module")
def broken(shared): raise ValueError
@pytest.fixture(scope="module")
def maker(kroft_server): return kroft_server.database
def check(db, seed, request): assert (db.seed, db.history.test) == (seed, request.node.nodeid)
def test_late(kroft_server, kroft_seed, request):
    request.getfixturevalue("shared")
    with pytest.raises(ValueError): request.getfixturevalue("broken")
    with kroft_server.database(orders) as db: check(db, kroft_seed, request)
def test_factory(maker, kroft_seed, request):
    with maker(orders) as db: check(db, kroft_seed, request)
"""
    project.write("test_it.py", SHARED + body)
    project.run().assert_outcomes(passed=2)


FAILING = """
def test_before(shared): shared.run(batches=1, rows=4)
def test_it(shared): shared.assert_same("orders", [])
"""


def test_the_line_to_paste_gives_the_same_again(project: Project) -> None:
    project.write("test_it.py", SHARED + FAILING)
    output = str(project.run("--kroft-seed=31").stdout)
    told = facts(output)
    own = derive_seed(31, "test_it.py")
    assert told["seed"] == f"--kroft-seed=31 (that of the fixture 'shared': {own})"
    assert re.match(r"pytest test_it\.py --kroft-seed=31 ", told["again"])
    again = str(project.run(*shlex.split(told["again"])[1:], server=False).stdout)
    assert differences(again) == differences(output) != []
    assert section(again) == section(output)


def test_a_database_for_the_session_is_repeated_by_the_whole_run(project: Project) -> None:
    project.write("conftest.py", CONFTEST)
    project.write("test_it.py", "def test_it(session_db): assert False")
    told = facts(str(project.run().stdout))
    assert told["again"].startswith("pytest --kroft-seed=1 ")
    assert "that of the fixture 'session_db'" in told["seed"]


def test_a_seed_that_the_fixture_gives_is_told_as_such(project: Project) -> None:
    project.write("test_it.py", SHARED.replace("rows=3", "rows=3, seed=6") + FAILING)
    assert facts(str(project.run().stdout))["seed"] == "6, given by the fixture 'shared'"


def test_only_a_test_that_has_it_tells_of_it_and_keeps_it(project: Project) -> None:
    body = """
def test_with(shared): pass
def test_without(): assert False
@pytest.mark.kroft("orders", rows=2)
def test_own(kroft_db): assert False
"""
    project.write("test_it.py", SHARED + body)
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)
    assert "All 2 operations" in section(str(result.stdout))
    assert kept(project, "--kroft-keep") == [[(2,)]]
    project.write("test_it.py", SHARED + body.replace("test_without()", "test_without(shared)"))
    assert sorted(kept(project, "--kroft-keep")) == [[(2,)], [(3,)]]
