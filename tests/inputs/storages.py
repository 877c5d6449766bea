"""Addresses of storages, and files that are none."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.inputs.case import case, cut, loop, pipe, written
from tests.inputs.searches import sweep


def another_schema():
    with closing(sqlite3.connect("other.db")) as connection:
        connection.execute("CREATE TABLE studies (title TEXT)")
        connection.execute("INSERT INTO studies VALUES ('usual')")
        connection.commit()


def of_a_later_optuna():
    with closing(sqlite3.connect("studies.db")) as connection:
        connection.execute("UPDATE version_info SET schema_version = 99")
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
        connection.commit()


def log_of_another():
    Path("other.log").write_text('{"event": "started"}\n{"event": "ended"}\n')


def report(storage, says, given="", spoil=None):
    return case(["report", "study=usual", f"storage={storage}"], says, given, spoil)


ADDRESSES = [
    ("", "storage"),
    ("nonsense", "storage=nonsense"),
    ("sqlite", "storage=sqlite"),
    ("sqlite:///", "in memory"),
    ("sqlite:///:memory:", "in memory"),
    ("sqlite:///no.db", "there is no file no.db"),
    ("sqlite://no.db", "storage="),
    ("sqlite:///.", "is a folder"),
    ("journal:///no.log", "there is no file no.log"),
    ("journal:///", "storage=journal:///"),
    ("mysql://u:hidden@127.0.0.1:1/db", "storage=mysql://u:***@127.0.0.1:1/db"),
    ("postgresql+psycopg://u:hidden@127.0.0.1:1/db", "storage=postgresql+psycopg://u:***@"),
    ("postgresql+psycopg://u:hidden@127.0.0.1:port/db", "storage=postgresql+psycopg://u:***@"),
    ("nonsense://u:hidden@h/db?password=hidden", "storage=nonsense://u:***@h/db?password=***"),
    ("sqlite:///\x1b[2Jx", "storage="),
    (f"sqlite:///{'x' * 5000}.db", "File name too long"),
    ("sqlite:///file:no.db?mode=rwc&uri=true", "storage="),
]
CASES = [
    *(report(address, says) for address, says in ADDRESSES),
    report("sqlite:///empty.db", "empty.db", spoil=written("empty.db", "")),
    report("sqlite:///text.db", "text.db", spoil=written("text.db", "no database\n" * 99)),
    report("sqlite:///studies.db", "studies.db", "studies.db", cut("studies.db", 20_000)),
    report("sqlite:///studies.db", "studies.db", "studies.db", cut("studies.db", 50)),
    report("sqlite:///studies.db", "studies.db", "studies.db", of_a_later_optuna),
    report("sqlite:///other.db", "other.db", spoil=another_schema),
    report("sqlite:///around.db", "around.db", spoil=loop("around.db")),
    report("sqlite:///tube.db", "tube.db", spoil=pipe("tube.db")),
    report("sqlite:///folder.db", "is a folder", spoil=written("folder.db")),
    report("journal:///text.log", "text.log", spoil=written("text.log", "no\njournal\n")),
    report("journal:///binary.log", "binary.log", spoil=written("binary.log", b"\xff\x00\n" * 9)),
    report("journal:///other.log", "other.log", spoil=log_of_another),
    report("journal:///list.log", "list.log", spoil=written("list.log", "[1]\n")),
    report("journal:///studies.db", "studies.db", "studies.db"),
    report("sqlite:///studies.log", "studies.log", "studies.log"),
    report("journal:///tube.log", "tube.log", spoil=pipe("tube.log")),
    report("journal:///empty.log", "study=usual is not in", spoil=written("empty.log", "")),
    case("studies storage=sqlite:///text.db", "text.db", "", written("text.db", "none\n" * 99)),
    case("studies storage=sqlite:///other.db", "other.db", "", another_schema),
    case(
        "studies storage=journal:///text.log", "text.log", "", written("text.log", "none\nnone\n")
    ),
    case(
        "studies delete=usual yes=true storage=sqlite:///other.db", "other.db", "", another_schema
    ),
    case(
        "studies delete=usual yes=true storage=sqlite:///studies.db",
        "studies.db",
        "studies.db",
        of_a_later_optuna,
    ),
    case("dashboard storage=sqlite:///text.db", "text.db", "", written("text.db", "none\n" * 99)),
    case("dashboard storage=sqlite:///studies.db", "studies.db", "studies.db", of_a_later_optuna),
    case(
        "confirm study=usual storage=journal:///text.log",
        "text.log",
        "",
        written("text.log", "none\nnone\n"),
    ),
    sweep("hydra.sweeper.storage=nonsense", "hydra.sweeper.storage=nonsense"),
    sweep("hydra.sweeper.storage=sqlite:///text.db", "text.db", written("text.db", "none\n" * 99)),
    sweep("hydra.sweeper.storage=sqlite:///taken/s.db", "taken", written("taken", "")),
    sweep("hydra.sweeper.storage=sqlite:///other.db", "another program's table", another_schema),
    sweep("hydra.sweeper.storage=sqlite:///folder.db", "folder.db", written("folder.db")),
    sweep(
        "hydra.sweeper.storage=journal:///text.log", "text.log", written("text.log", "none\nnone\n")
    ),
    sweep("hydra.sweeper.storage=postgresql+psycopg://u:hidden@127.0.0.1:1/db", "u:***@127.0.0.1"),
    sweep("hydra.sweeper.storage=redis://127.0.0.1:1", "redis"),
]
