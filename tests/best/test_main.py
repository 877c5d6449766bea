from pathlib import Path

import pytest
from filelock import FileLock

from mnist_sweep.best.__main__ import main
from mnist_sweep.best.question import QuestionError
from mnist_sweep.best.work import Work

HOME = Path("multirun/q")
WORDS = ["hydra.sweeper.study_name=q", "data=mnist_5k", "hours=1"]


def test_a_question_that_cannot_be_begun_leaves_no_folder(monkeypatch):
    def fail(self):
        assert HOME.is_dir()
        raise QuestionError("no plan")

    monkeypatch.setattr(Work, "answer", fail)
    with pytest.raises(QuestionError, match="no plan"):
        main(WORDS)
    assert not HOME.exists()


def test_a_question_that_another_process_answers_is_left_to_it():
    HOME.mkdir(parents=True)
    lock = HOME / ".answer.lock"
    with (
        FileLock(lock),
        pytest.raises(QuestionError, match=r"being answered in .* by another process"),
    ):
        main(WORDS)
    assert lock.exists()
