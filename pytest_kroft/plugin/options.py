"""The command line, the settings, and the seed of a run."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

LARGEST_SEED = 2**63 - 1
CACHED_SEED = "kroft/seed"

BASE_SEED = pytest.StashKey[int]()
SEED_IS_GIVEN = pytest.StashKey[bool]()
"""Whether the base seed was given, and not drawn for this run."""

_MODULE_AND_FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d]")

_SEED_HELP = (
    "Base seed from which the seed of every test is derived: a whole number, 'random' (the default), or "
    "'last' to use that of the run before. The header of each run prints it."
)
_DSN_HELP = (
    "Use the PostgreSQL server at this libpq URI. Every test gets a new database there; existing ones are "
    "not touched."
)
_SERVER_HELP = (
    "Where the server comes from: the embedded one of the extra 'embedded', a process fixture of "
    "pytest-postgresql or your own by its name, or 'auto' (the default) for the first of these that is "
    "there."
)
_KEEP_HELP = "Keep the database of a failed test and print how to reach it."
_LOAD_HELP = (
    "Every test's database is a clone of one that holds this: an SQL file as pg_dump and psql know it, or "
    "module:function, called with a connection. May be given several times; paths begin at the rootdir."
)
_REPLAY_HELP = (
    "Run a test on exactly the history that a failure has saved in this file; the failure prints the whole "
    "line to paste."
)
_HAZARDS_HELP = (
    "Run every test with the marker and kroft_db once for each hazard, after a baseline without any, and "
    "show which ones it survives: 'each', or names separated by commas."
)
MARKER_HELP = (
    "kroft(*tables, rows=0, policy=None, seed=None, max_examples=1, hazards=None, clock='logical', "
    "adopt=False): Give the test's kroft_db these tables, by their registered names or as definitions; "
    "without any, all that are registered. Each starts with so many rows. The policy, by name or as an "
    "EvolutionPolicy, says what may happen (the default is 'evolving'), and the seed replaces the one "
    "derived for the test. With max_examples=200 Hypothesis runs the test on up to so many histories and "
    "shrinks one that fails. hazards='each', or a list, runs it once for each hazard. clock='server' "
    "stamps rows with the server's time. adopt=True takes over the tables that kroft_load has loaded, "
    "adopt=['orders', 'billing.*'] some."
)
_OPTIONS = {
    "seed": ("N|random|last", _SEED_HELP),
    "dsn": ("URI", _DSN_HELP),
    "server": ("auto|embedded|FIXTURE", _SERVER_HELP),
    "replay": ("FILE", _REPLAY_HELP),
    "hazards": ("each|NAME,...", _HAZARDS_HELP),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini twins."""
    group = parser.getgroup("kroft", "evolving PostgreSQL databases (pytest-kroft)")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--kroft-{name}", metavar=metavar, help=text)
        parser.addini(f"kroft_{name}", f"The same as --kroft-{name}. {text}", default="")
    group.addoption("--kroft-load", action="append", metavar="FILE|MODULE:FUNCTION", help=_LOAD_HELP)
    parser.addini("kroft_load", f"The same as --kroft-load. {_LOAD_HELP}", type="linelist", default=[])
    group.addoption("--kroft-keep", action="store_true", default=None, help=_KEEP_HELP)
    parser.addini("kroft_keep", f"The same as --kroft-keep. {_KEEP_HELP}", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, settle the base seed, and look for the files to load."""
    config.addinivalue_line("markers", MARKER_HELP)
    config.stash[BASE_SEED], config.stash[SEED_IS_GIVEN] = base_seed(config), seed_is_given(config)
    for source in setting(config, "load"):
        if not _MODULE_AND_FUNCTION.match(source) and not (config.rootpath / source).is_file():
            raise pytest.UsageError(
                f"--kroft-load={source}: there is no file {config.rootpath / source}; name an SQL file, or a "
                "function as module:function"
            )


def setting(config: pytest.Config, name: str) -> Any:
    """What an option says or, where it was not given, its ini twin."""
    value = config.getoption(f"kroft_{name}")
    return config.getini(f"kroft_{name}") if value is None else value


def base_seed(config: pytest.Config) -> int:
    """The seed of the run: given, drawn, the last one, or the controller's; else raises UsageError."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return int(worker["kroft_seed"])
    said = _said(config)
    if said == "random":
        return secrets.randbits(31)
    if said == "last":
        return _last_seed(config)
    number: int | str
    try:
        number = int(said)
    except ValueError:
        number = said
    return checked_seed(number, "--kroft-seed", ", or 'random' or 'last'")


def seed_is_given(config: pytest.Config) -> bool:
    """Whether the seed of the run was given, and not drawn for it."""
    worker = getattr(config, "workerinput", None)
    return bool(worker["kroft_seed_is_given"]) if worker is not None else _said(config) != "random"


def _said(config: pytest.Config) -> str:
    return str(setting(config, "seed") or "random").strip().lower()


def _last_seed(config: pytest.Config) -> int:
    cache = getattr(config, "cache", None)
    last = cache.get(CACHED_SEED, None) if cache is not None else None
    if last is None:
        why = "no run before this one has left its seed there" if cache is not None else "it is turned off"
        raise pytest.UsageError(
            f"--kroft-seed=last reads pytest's cache, but {why}; name a whole number instead"
        )
    return checked_seed(last, "the seed in pytest's cache")


def checked_seed(seed: object, where: str, others: str = "") -> int:
    """The seed, if it is one; raises UsageError naming where it stands, and what else is allowed there."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise pytest.UsageError(
            f"{where} must be a whole number from 0 to {LARGEST_SEED}{others}, not {seed!r}"
        )
    return seed


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the base seed for --kroft-seed=last, where tests are to be run and not only listed."""
    config = session.config
    cache = getattr(config, "cache", None)
    listed = ("collectonly", "showfixtures", "show_fixtures_per_test")
    if cache is not None and not any(config.getoption(name) for name in listed):
        cache.set(CACHED_SEED, config.stash[BASE_SEED])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the base seed to a worker of pytest-xdist, so that all of them have the same."""
    node.workerinput["kroft_seed"] = node.config.stash[BASE_SEED]
    node.workerinput["kroft_seed_is_given"] = node.config.stash[SEED_IS_GIVEN]


def pytest_report_header(config: pytest.Config) -> str:
    """Print the option that repeats this run."""
    return f"kroft: --kroft-seed={config.stash[BASE_SEED]}"
