"""Where the runs of a confirmation are trained: worker processes, each with a job at a time."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import torch
from hydra.core.utils import JobReturn, JobStatus

from mnist_sweep.config_checks import check
from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.runs import TEST, VALIDATION, SeedRun, errors_in
from mnist_sweep.confirm.scores import Listed, write_listed
from mnist_sweep.data import Images
from mnist_sweep.errors import UserError
from mnist_sweep.inspection.predictions import predict
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.run.build import build_dataset
from mnist_sweep.run.directory import COMPLETE, RunDirectory
from mnist_sweep.run.execute import execute_or_resume
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.machine import choose_device
from mnist_sweep.run.memory import WORKER_GB
from mnist_sweep.sweep.jobs.backend import Job, failed_return, run_all
from mnist_sweep.sweep.jobs.resources import divide, gpus
from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend
from mnist_sweep.sweep.trials.outcomes import JobFailed, check_completed
from mnist_sweep.training.loop import Precision

log = logging.getLogger("mnist_sweep")

RETRIES = 1  # of a job whose worker dies
PATIENCE = 10.0  # seconds that an interrupted run has to record it

Watch = Callable[[Sequence[SeedRun]], None]


class Workers:
    """Processes of this machine that train runs, started when the first has something to do.

    One process a GPU, or one a core where there is none, does a job at a time; their output goes to
    `logs`. `runs` are all that may be asked for.
    """

    def __init__(self, runs: Sequence[SeedRun], logs: Path, n_jobs: int | None) -> None:
        configs = list({run.candidate.key: run.candidate.config for run in runs}.values())
        widest = next((config for config in configs if gpus(config)), configs[0])
        workers = divide(widest, n_jobs, None, WORKER_GB)
        self.environments = workers.environments[: len(runs)]
        self.why = workers.why if len(self.environments) == len(workers.environments) else None
        self.logs = logs
        self.backend: WorkerBackend | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.backend is not None:
            self.backend.stop(PATIENCE)

    def __str__(self) -> str:
        return str(self._started())

    def prepare(self, runs: Sequence[SeedRun]) -> None:
        """Load the data of runs here once, where they may have to be downloaded.

        Raises what `build_dataset` raises, before any run is begun.
        """
        for config in {(run.candidate.key, run.split): run.config for run in runs}.values():
            build_dataset(check(config))

    def train(
        self,
        runs: Sequence[SeedRun],
        watch: Watch = lambda ended: None,
        may_start: Callable[[SeedRun], bool] = lambda run: True,
    ) -> None:
        """Train runs and list their errors on validation images, in order.

        `watch` is told about every second which have ended. Once `may_start` refuses one, no other
        is started. Raises ConfirmError when some failed.
        """
        self._do(runs, VALIDATION, watch, may_start)

    def test(self, runs: Sequence[SeedRun]) -> None:
        """List the errors of trained runs on test images. Raises ConfirmError when some failed."""
        self._do(runs, TEST, lambda ended: None, lambda run: True)

    def _do(
        self,
        runs: Sequence[SeedRun],
        split: str,
        watch: Watch,
        may_start: Callable[[SeedRun], bool],
    ) -> None:
        if not runs:
            return
        jobs = [
            Job(number, [run.candidate.model, str(run.directory), split])
            for number, run in enumerate(runs)
        ]

        def watched(returns: Mapping[int, JobReturn]) -> None:
            watch([runs[number] for number in returns])

        returns = run_all(
            self._started(), jobs, RETRIES, watched, lambda job: may_start(runs[job.number])
        )
        _check_all(returns, runs)

    def _started(self) -> WorkerBackend:
        if self.backend is None:
            environments = self.environments
            self.backend = WorkerBackend(
                len(environments), RunTask(), environments.__getitem__, self.logs, why=self.why
            )
        return self.backend


def _check_all(returns: Sequence[JobReturn], runs: Sequence[SeedRun]) -> None:
    failures = []
    for returned in returns:
        try:
            check_completed(returned)
        except JobFailed as failure:
            failures.append(failure)
    if failures:
        raise ConfirmError(
            f"{len(failures)} of {len(runs)} runs failed: {failures[0]}; the same command retries "
            "them"
        ) from failures[0]


@dataclass(frozen=True)
class RunTask:
    """Work on runs: a job names a model, the directory of one, and a split to list the errors on.

    For validation images, the run is trained first.
    """

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Do a job; an error is in what it returns."""
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        model, directory, split = overrides
        try:
            if split == VALIDATION:
                train_seed(Path(directory), model)
            else:
                evaluate_run(Path(directory))
        except UserError as error:
            return failed_return(error)
        except Exception as error:
            log.exception("%s", directory)
            return failed_return(error)
        returned = JobReturn()
        returned.status, returned.return_value = JobStatus.COMPLETED, None
        return returned


def train_seed(directory: Path, model: str) -> None:
    """Train the run that a directory was begun for, and list its errors on validation images.

    One that is trained already, as those of older confirmations are, is only listed.
    """
    execute_or_resume(check(load_recorded(str(directory), "run")), directory, model)
    if (RunDirectory(directory).read_result() or {}).get("status") == COMPLETE:
        _list_errors(directory, VALIDATION)


def evaluate_run(directory: Path) -> None:
    """List a trained run's errors on test images, and add its figures to its result."""
    listed = _list_errors(directory, TEST)
    assert listed.losses is not None
    record = RunDirectory(directory)
    figures = {
        "test_loss": sum(listed.losses) / listed.images,
        "test_acc": 1 - len(listed.wrong) / listed.images,
    }
    record.write_result({**(record.read_result() or {}), **figures})


def _list_errors(directory: Path, split: str) -> Listed:
    run = check(load_recorded(str(directory), "run"))
    device = choose_device(run.device)
    trained = load_trained(str(directory), device)
    dataset = build_dataset(run).to(device)
    images = dataset.val if split == VALIDATION else dataset.test
    with Precision(run.precision).autocast(device):
        found = predict(trained.model, images, trained.pipeline)
    wrong = (found.predicted != found.labels).nonzero().flatten().tolist()
    own = found.probabilities.gather(1, found.labels[:, None])[:, 0]
    losses = -own.clamp_min(torch.finfo(own.dtype).tiny).log()
    listed = Listed(len(images), wrong, losses.tolist(), _fingerprint(images))
    write_listed(listed, errors_in(directory, split))
    return listed


def _fingerprint(images: Images) -> str:
    digest = hashlib.sha256()
    for tensor in (images.images, images.labels):
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
