"""Where the runs of a confirmation are trained: worker processes, each with a job at a time."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from mnist_sweep.config import RunConfig, check, load_recorded
from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.progress import Progress
from mnist_sweep.confirm.runs import SeedRun, errors_in
from mnist_sweep.errors import UserError
from mnist_sweep.files import replacing
from mnist_sweep.inspection.predictions import predict
from mnist_sweep.run.build import build_dataset
from mnist_sweep.run.directory import COMPLETE, RunDirectory
from mnist_sweep.run.execute import execute_or_resume
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.machine import choose_device
from mnist_sweep.sweep.jobs.backend import Job, failed_return, run_all
from mnist_sweep.sweep.jobs.resources import gpus, worker_environments
from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend
from mnist_sweep.sweep.trials.outcomes import JobFailed, check_completed
from mnist_sweep.training.loop import Precision

log = logging.getLogger("mnist_sweep")

RETRIES = 1  # of a job whose worker dies
PATIENCE = 10.0  # seconds that an interrupted run has to record it


def train(runs: Sequence[SeedRun], logs: Path, n_jobs: int | None) -> None:
    """Train what is not done yet, in processes of this machine whose output goes to `logs`.

    One process a GPU, or one a core where there is none, trains a run at a time. Raises what
    `build_dataset` raises, before any is begun, and ConfirmError when some failed.
    """
    waiting = [run for run in runs if not run.done]
    if not waiting:
        return
    configs = list({run.candidate.key: run.candidate.config for run in waiting}.values())
    for config in configs:
        # Here once, where it may have to be downloaded, and not in every worker at the same time.
        build_dataset(check(config))
    widest = next((config for config in configs if gpus(config)), configs[0])
    environments = worker_environments(widest, n_jobs, None)[: len(waiting)]
    workers = WorkerBackend(len(environments), RunTask(), environments.__getitem__, logs)
    progress = Progress(runs, [[run] for run in waiting], len(environments), str(workers))

    def watch(returns: Mapping[int, JobReturn]) -> None:
        progress.watch([waiting[number] for number in returns])

    jobs = [
        Job(number, [run.candidate.model, str(run.directory)]) for number, run in enumerate(waiting)
    ]
    try:
        returns = run_all(workers, jobs, RETRIES, watch)
    finally:
        progress.close()
        workers.stop(PATIENCE)
    for returned in returns:
        try:
            check_completed(returned)
        except JobFailed as failure:
            lost = sum(not run.done for run in runs)
            raise ConfirmError(
                f"{lost} of {len(runs)} runs failed: {failure}; the same command retries them"
            ) from failure


@dataclass(frozen=True)
class RunTask:
    """Training of runs: a job names a model, and the directory of one."""

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Train a run and list its errors on test; an error is in what it returns."""
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        model, directory = overrides
        try:
            train_seed(Path(directory), model)
        except UserError as error:
            return failed_return(error)
        except Exception as error:
            log.exception("%s", directory)
            return failed_return(error)
        returned = JobReturn()
        returned.status, returned.return_value = JobStatus.COMPLETED, None
        return returned


def train_seed(directory: Path, model: str) -> None:
    """Train the run that a directory was begun for, and list the test images that it errs on."""
    run = check(load_recorded(str(directory), "run"))
    execute_or_resume(run, directory, model)
    if (RunDirectory(directory).read_result() or {}).get("status") == COMPLETE:
        _list_errors(directory, run)


def _list_errors(directory: Path, run: RunConfig) -> None:
    device = choose_device(run.device)
    trained = load_trained(str(directory), device)
    test = build_dataset(run).to(device).test
    with Precision(run.precision).autocast(device):
        found = predict(trained.model, test, trained.pipeline)
    wrong = (found.predicted != found.labels).nonzero().flatten().tolist()
    with replacing(errors_in(directory)) as temporary:
        temporary.write_text(
            json.dumps({"images": len(test), "wrong": wrong}) + "\n", encoding="utf-8"
        )
