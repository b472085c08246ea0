"""One base seed for a run, and one for each test, which nothing but its name and the base seed decide."""

from __future__ import annotations

import re

import pytest

from pytest_kroft.model.choices import derive_seed
from tests.plugin.conftest import Project, own_seeds

PRINTING = """
def tell(request, seed): print(f"\\nSEED {request.node.name}={seed}")
def test_one(request, kroft_seed): tell(request, kroft_seed)
def test_two(request, kroft_seed): tell(request, kroft_seed)
@pytest.mark.parametrize("x", [1, 2])
def test_many(request, kroft_seed, x): tell(request, kroft_seed)
"""


@pytest.fixture(autouse=True)
def no_seed_is_given(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without a seed draw one, as a user's do."""
    monkeypatch.delenv("PYTEST_ADDOPTS")


def header(result: pytest.RunResult) -> int:
    """The base seed that the header of a run names."""
    found = re.findall(r"^kroft: --kroft-seed=(\d+)$", str(result.stdout), flags=re.MULTILINE)
    assert len(found) == 1
    return int(found[0])


def test_a_run_without_the_option_draws_a_seed_and_prints_it(project: Project) -> None:
    project.write("test_it.py", PRINTING)
    assert header(project.run("--co")) != header(project.run("--co"))


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_a_number_is_the_base_seed(project: Project, seed: int) -> None:
    project.write("test_it.py", PRINTING)
    result = project.run("-s", f"--kroft-seed={seed}")
    assert header(result) == seed
    assert own_seeds(str(result.stdout))["test_one"] == str(derive_seed(seed, "test_it.py::test_one"))


def test_the_ini_setting_does_the_same_and_the_option_comes_first(project: Project) -> None:
    project.ini("kroft_seed = 12")
    assert header(project.run("--co")) == 12
    assert header(project.run("--co", "--kroft-seed=13")) == 13


def test_the_option_takes_back_a_number_in_the_ini_file(project: Project) -> None:
    project.ini("kroft_seed = 12")
    assert header(project.run("--co", "--kroft-seed=random")) != 12


@pytest.mark.parametrize("said", ["-1", "--5", "1.5", "often", str(2**63), "9" * 5000, "²", "0x10"])
def test_anything_else_is_refused(project: Project, said: str) -> None:
    result = project.run("--co", f"--kroft-seed={said}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = f"ERROR: --kroft-seed must be a whole number from 0 to {2**63 - 1}, or 'random' or 'last', not *"
    result.stderr.fnmatch_lines([error])
    assert said in str(result.stderr)
    assert "Traceback" not in str(result.stderr)


def test_last_is_the_seed_of_the_run_before(project: Project) -> None:
    project.write("test_it.py", PRINTING)
    first = project.run()
    # Listing tests is no run.
    for listing in ("--co", "--fixtures", "--markers", "--help", "--fixtures-per-test"):
        project.run(listing)
    assert header(project.run("--kroft-seed=last")) == header(first)
    assert header(project.run("--kroft-seed=last")) == header(first)


def test_last_follows_a_number(project: Project) -> None:
    project.write("test_it.py", PRINTING)
    project.run("--kroft-seed=99")
    project.ini("kroft_seed = last")
    assert header(project.run()) == 99


@pytest.mark.parametrize(
    "arguments, why",
    [
        ([], "no run before this one has left its seed there"),
        (["-p", "no:cacheprovider"], "it is turned off"),
    ],
)
def test_last_without_a_run_before_says_so(project: Project, arguments: list[str], why: str) -> None:
    result = project.run("--kroft-seed=last", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert str(result.stderr).strip() == (
        f"ERROR: --kroft-seed=last reads pytest's cache, but {why}; name a whole number instead"
    )


def test_a_cache_with_nonsense_in_it_is_refused(project: Project) -> None:
    project.write(".pytest_cache/v/kroft/seed", '"x"')
    project.run("--kroft-seed=last").stderr.fnmatch_lines(
        ["ERROR: the seed in pytest's cache must be *, not 'x'"]
    )


def test_neither_order_nor_selection_nor_siblings_change_a_seed(project: Project) -> None:
    project.write("test_it.py", PRINTING)
    project.write("test_other.py", "def test_more(): pass")
    everything = own_seeds(str(project.run("-s", "--kroft-seed=5").stdout))
    assert len(set(everything.values())) == 4
    project.write("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()")
    assert own_seeds(str(project.run("-s", "--kroft-seed=5").stdout)) == everything
    alone = own_seeds(str(project.run("-s", "--kroft-seed=5", "-k", "two").stdout))
    assert alone == {"test_two": everything["test_two"]}
    project.write("test_it.py", PRINTING.replace("test_one", "test_renamed"))
    renamed = own_seeds(str(project.run("-s", "--kroft-seed=5").stdout))
    assert renamed.keys() - everything.keys() == {"test_renamed"}
    assert renamed.items() >= {(name, seed) for name, seed in everything.items() if name != "test_one"}


def test_another_base_seed_gives_every_test_another(project: Project) -> None:
    project.write("test_it.py", PRINTING)
    one, other = (own_seeds(str(project.run("-s", f"--kroft-seed={seed}").stdout)) for seed in (5, 6))
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_databases_take_the_seed_of_the_running_test(project: Project) -> None:
    # In the first test the server itself is set up after the test began.
    project.write(
        "test_it.py",
        """
@pytest.fixture
def mine(kroft_server):
    with kroft_server.database(orders) as db: yield db
def check(db, seed, request): assert (db.seed, db.history.test) == (seed, request.node.nodeid)
def test_fixture(mine, kroft_seed, request): check(mine, kroft_seed, request)
def test_body(kroft_server, kroft_seed, request):
    with kroft_server.database(orders) as db: check(db, kroft_seed, request)
    with kroft_server.database(orders, seed=3) as db: check(db, 3, request)
def test_ours(kroft_db, kroft_seed, request): check(kroft_db, kroft_seed, request)
@pytest.mark.kroft(seed=8)
def test_marked(kroft_server, kroft_db, kroft_seed, request):
    check(kroft_db, 8, request)
    with kroft_server.database(orders) as db: check(db, 8, request)
def test_after_it(mine, kroft_seed, request):
    assert kroft_seed != 8
    check(mine, kroft_seed, request)
""",
    )
    project.run().assert_outcomes(passed=5)
    project.run("-k", "body").assert_outcomes(passed=1)
