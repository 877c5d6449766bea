"""What a question is read from: overrides of a search."""

from pathlib import Path

import pytest

from mnist_sweep.best.question import QuestionError, read_question
from mnist_sweep.config import ConfigError


def test_a_question_knows_the_study_that_answers_it_and_its_directory() -> None:
    question = read_question(["search=schedule", "data=mnist_5k", "epochs=3"])
    assert question.study == "schedule-enhanced-mnist_5k"
    assert question.home == Path("multirun/schedule-enhanced-mnist_5k")
    assert question.limit == 19_999
    assert question.overrides == ("search=schedule", "data=mnist_5k", "epochs=3")


def test_what_is_swept_is_passed_on_and_not_composed() -> None:
    question = read_question(["search=schedule", "optimizer.lr=tag(log,interval(0.001,0.1))"])
    assert question.overrides[-1] == "optimizer.lr=tag(log,interval(0.001,0.1))"


def test_a_study_can_be_named_as_in_a_sweep_also_by_a_number() -> None:
    question = read_question(["search=schedule", "hydra.sweeper.study_name=1.10"])
    assert question.study == "1.10"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hydra.sweeper.timeout=60", "hours="),
        ("hydra.sweeper.storage=null", "storage="),
        ("resume=outputs/x", "resumes"),
        ("study=mine", "hydra.sweeper.study_name="),
    ],
)
def test_what_the_command_sets_itself_is_refused_with_what_to_give(word: str, said: str) -> None:
    with pytest.raises(QuestionError, match=said) as raised:
        read_question(["search=schedule", word])
    assert word in str(raised.value)


def test_a_setting_that_makes_no_run_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        read_question(["search=schedule", "epochs=0"])


def test_overrides_that_do_not_compose_are_one_line() -> None:
    with pytest.raises(QuestionError) as raised:
        read_question(["search=schedule", "epoch=3"])
    assert "epoch" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_several_objectives_have_no_best() -> None:
    with pytest.raises(QuestionError, match="front"):
        read_question(["search=pareto"])
