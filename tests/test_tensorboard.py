import os
from argparse import Namespace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester

from mnist_sweep import tensorboard
from mnist_sweep.tensorboard import TICKED, Board, BoardError, choose


def runs(folder, count, written=1_000.0):
    """Runs with events, last written to at a time."""
    for number in range(count):
        path = Path(folder, str(number))
        path.mkdir(parents=True)
        (path / "events.out.tfevents.1.host.1.0").touch()
        os.utime(path, (written, written))


def test_few_runs_are_all_shown():
    runs("outputs/2026-01-01", 2)
    runs("multirun/s", TICKED - 2)
    found = choose(Board())
    assert found.options == ["--logdir_spec", "outputs:outputs,multirun:multirun"]
    assert found.said == f"{TICKED} runs in TensorBoard"


def read_by_tensorboard(spec):
    """The names of the runs that TensorBoard finds by its option --logdir_spec."""
    flags = {
        **{"logdir": "", "logdir_spec": spec, "samples_per_plugin": {}},
        **{"purge_orphaned_data": True, "max_reload_threads": 1, "reload_multifile": False},
        **{"detect_file_replacement": None, "reload_interval": 0, "reload_task": "blocking"},
    }
    ingester = LocalDataIngester(Namespace(**flags))
    ingester.start()
    return set(ingester.deprecated_multiplexer.Runs())


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_tensorboard_finds_the_runs_of_relative_and_of_absolute_folders(slashes):
    runs("outputs", 1)
    runs("multirun/s", 1)
    _, spec = choose(Board()).options
    assert read_by_tensorboard(spec) == {"outputs/0", "multirun/s/0"}
    here = f"{slashes}{str(Path.cwd()).lstrip('/')}"
    _, spec = choose(Board(runs=f"{here}/outputs", sweeps=f"{here}/multirun")).options
    assert read_by_tensorboard(spec) == {"runs/0", "sweeps/s/0"}
    _, spec = choose(Board(sweeps=f"{here}/multirun")).options
    assert read_by_tensorboard(spec) == {"outputs/0", "sweeps/s/0"}


def test_of_more_than_tensorboard_ticks_the_latest_study_is_shown_and_others_are_named():
    runs("multirun/a", TICKED)
    runs("multirun/b", 2, written=2_000.0)
    Path("multirun/empty").mkdir()
    found = choose(Board())
    assert found.options == ["--logdir", "multirun/b"]
    assert found.said == (
        "study b: 2 runs in TensorBoard (of 42 runs, the latest study: TensorBoard unticks all "
        "beyond 40); all=true shows all, or study=a"
    )
    assert choose(Board(all=True)).options[0] == "--logdir_spec"
    assert choose(Board(study="a")).options == ["--logdir", "multirun/a"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Board(), "there are no runs in outputs/ or multirun/: train one"),
        (Board(study="s"), "study=s has no runs with events in multirun/s: it takes none"),
        (Board(study="s", all=True), "study=s and all=true: leave one out"),
    ],
)
def test_nothing_to_show_is_one_line(asked, message):
    with pytest.raises(BoardError, match=message):
        choose(asked)


@pytest.mark.parametrize("name", ["sudy", ".", ""])
def test_a_study_that_there_is_not_is_refused_with_the_nearest(name):
    runs("multirun/study", 1)
    with pytest.raises(BoardError, match=f"study={name or ''} has no runs"):
        choose(Board(study=name))
    with pytest.raises(BoardError, match="the nearest is study;"):
        choose(Board(study="sudy"))


def test_tensorboard_is_started_with_what_was_chosen(monkeypatch, capsys):
    runs("elsewhere/s", 1)
    started = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append(words))
    tensorboard.main(Board(study="s", sweeps="elsewhere", port=7000))
    assert started[0][1:] == [
        *("-m", "tensorboard.main", "--logdir", "elsewhere/s"),
        *("--host", "127.0.0.1", "--port", "7000"),
    ]
    assert capsys.readouterr().out == "study s: 1 run in TensorBoard\n"


@pytest.mark.parametrize("folder", ["r,1", "r:1"])
def test_a_folder_that_tensorboard_would_take_for_two_is_refused(folder):
    runs(f"{folder}/a", 1)
    with pytest.raises(BoardError, match=f"runs={folder}: TensorBoard takes no folder with a com"):
        choose(Board(runs=folder))


def test_a_studys_name_moves_no_cursor_of_the_terminal_that_it_is_said_in():
    runs("multirun/a\x1b[2J", TICKED)
    runs("multirun/b\x1b[2J", 1, written=2_000.0)
    said = choose(Board()).said
    assert said.startswith(r"study b\x1b[2J: 1 run in TensorBoard")
    assert said.endswith(r"or study=a\x1b[2J")
