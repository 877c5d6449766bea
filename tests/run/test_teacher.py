import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.config_checks import check
from mnist_sweep.errors import UserError
from mnist_sweep.run.execute import execute
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.teacher import read_teacher
from tests.conftest import read_json_lines

CPU = torch.device("cpu")
STUDENT = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=500"]


@pytest.fixture
def student(composed):
    """Return a function that trains a run with further overrides; it returns its directory."""

    def train(*words, directory="student", resume=False):
        config = check(composed(*STUDENT, *words))
        execute(config, Path(directory), name="linear", resume=resume, sweep=None)
        return Path(directory)

    return train


def result(directory):
    return json.loads((directory / "result.json").read_text())


def losses(directory):
    lines = read_json_lines(directory / "metrics.jsonl")
    return [(line["train_loss"], line["val_loss"]) for line in lines]


def test_a_run_and_its_bundle_teach_the_same(finished, student):
    write_bundle(load_trained(str(finished), CPU), Path("bundle"))
    by_run = student(f"distill.teacher={finished}", directory="a")
    by_bundle = student("distill.teacher=bundle", directory="b")
    assert losses(by_run) == losses(by_bundle)
    assert losses(by_run) != losses(student(directory="c"))
    recorded = result(by_run)["teacher"]
    assert recorded["path"] == str(finished)
    assert recorded["parameters"] == result(finished)["parameters"]
    assert recorded["fingerprint"] == result(by_run)["data"]["fingerprint"]
    assert recorded["weights_sha256"] == result(by_bundle)["teacher"]["weights_sha256"]


def test_a_teacher_changes_neither_the_first_weights_nor_the_order(finished, student):
    """Of the divergence next to nothing is left at this weight."""
    taught = student(f"distill.teacher={finished}", "distill.weight=1e-9", directory="a")
    alone = student(directory="b")
    for (a, _), (b, _) in zip(losses(taught), losses(alone), strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_a_teacher_is_not_counted_in_the_budget(finished, student):
    directory = student(f"distill.teacher={finished}", "budget.max_parameters=7850")
    assert result(directory)["parameters"] == 7850


def refused(given, student=Path("student"), before=None):
    with pytest.raises(UserError) as raised:
        read_teacher(str(given), student, CPU, before)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_no_teacher_is_refused_in_one_line(finished, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("absent", "empty"):
        assert refused(name) == (
            f"distill.teacher={name} is neither a run directory nor a bundle: it has no "
            ".hydra/config.yaml and no bundle.json"
        )
    assert refused(finished, finished) == f"distill.teacher={finished} is this run itself; " + (
        "name another"
    )


def test_a_run_that_has_not_ended_does_not_teach(finished):
    shutil.copytree(finished, "going")
    Path("going/result.json").write_text(json.dumps(result(finished) | {"status": "running"}))
    assert refused("going").startswith("distill.teacher=going has not ended: its status is runn")


def test_a_teacher_of_other_classes_is_refused(finished, monkeypatch):
    shutil.copytree(finished, "seven")
    config = Path("seven/.hydra/config.yaml")
    text = config.read_text().replace(
        "_target_: mnist_sweep.models.MLP", ("_target_: torch.nn.Flatten")
    )
    lines = [line for line in text.splitlines() if not line.startswith(("  hidden:", "  dropout:"))]
    config.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "torch.nn.Flatten")
    save_file({}, "seven/checkpoints/best.safetensors")
    assert refused("seven") == (
        "distill.teacher=seven gives logits [1, 784] for an image, not [1, 10]: it tells other "
        "classes apart"
    )


def test_a_run_whose_teacher_has_changed_is_not_resumed(finished, student):
    shutil.copytree(finished, "teacher")
    directory = student("distill.teacher=teacher")
    whole = losses(directory)
    stopped = json.dumps(result(directory) | {"status": "interrupted"})
    (directory / "result.json").write_text(stopped)
    student("distill.teacher=teacher", resume=True)
    assert (losses(directory), result(directory)["status"]) == (whole, "complete")
    (directory / "result.json").write_text(stopped)
    weights = Path("teacher/checkpoints/best.safetensors")
    other = bytearray(weights.read_bytes())
    other[-1] ^= 1
    weights.write_bytes(bytes(other))
    with pytest.raises(UserError) as raised:
        student("distill.teacher=teacher", resume=True)
    assert str(raised.value) == (
        "distill.teacher=teacher has other weights than when this run began; start a new run"
    )


def test_what_a_bundle_says_of_its_data_is_recorded_only_where_it_is_a_line(finished):
    write_bundle(load_trained(str(finished), CPU), Path("bundle"))
    description = json.loads(Path("bundle/bundle.json").read_text())
    for said in ("two\nlines", 7, ["list"]):
        description["figures"]["data"] = {"fingerprint": said}
        Path("bundle/bundle.json").write_text(json.dumps(description))
        assert read_teacher("bundle", Path("student"), CPU, None)[1]["fingerprint"] is None


def test_a_teacher_of_another_split_is_warned_of(finished, student, caplog):
    student(f"distill.teacher={finished}", directory="a")
    assert not [r for r in caplog.records if "another split" in r.getMessage()]
    student(f"distill.teacher={finished}", "data.split_seed=1", directory="b")
    (record,) = [r for r in caplog.records if "another split" in r.getMessage()]
    assert "may have seen this run's validation or test images" in record.getMessage()
