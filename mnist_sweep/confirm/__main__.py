"""Whether what was found is true: configurations trained again with fresh seeds, and compared.

    python -m mnist_sweep.confirm study=schedule-enhanced-mnist
    python -m mnist_sweep.confirm runs=outputs/2026-11-20/17-25-21,multirun/overnight/best seeds=10

study    a study, whose best trials are taken
storage  where it is; sqlite:///multirun/optuna.db where that is left out
top      how many of its trials; 3
default  whether the study's default configuration is taken too; true
runs     run directories, separated by commas, whose configurations are taken as well. A path that
         has a comma is found where it is there; quotes around it ('a,b') take it as it is
seeds    how many fresh seeds each is trained with; 5. Below 4 hardly anything can be told
race     whether those that fall behind on validation images get no more seeds: true. It decides
         after 2, 3, 5, 10, 20, 50 and 100 seeds; false trains all with all seeds
hours    how long; without an end where that is left out. What there is then is concluded from
margin   differences of so many points of accuracy count as none; 0.05
ablate   whether the way from the default to the best is trained too, change by change; false
first    the first seed; 1000. Those of the runs that are taken are left out
split_seeds  how many other splits of the training images the seeds take in turn: for what holds
         beyond the split of the search. That one alone where it is left out
epochs   epochs of each run; as many as it had where that is left out
data     auto, mnist or mnist_5k; what each was trained on where that is left out
n_jobs   processes; one a GPU, else one a core, where that is left out
to       where it goes. Left out: multirun/<study>/confirmation, or outputs/confirmation where no
         study is named; other data, epochs and splits are part of the name

Every run is a run directory of its own, <to>/<configuration>/<seed>. The same command resumes after
a kill, and with more seeds keeps the runs that are there. They are tracked in TensorBoard where the
runs that they are taken from were, and not in MLflow. <to>/confirmation.json has all figures; a
study's report shows those in multirun/<study>/.

The order is by validation images, over the fresh seeds. Test images are looked at once, at the end.
Differences are of test images, with 95% intervals that hold for other seeds and other images, and
for all comparisons together. docs/confirmation.md has the statistics.
"""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnist_sweep.cli import arguments
from mnist_sweep.cli.printed_commands import for_study
from mnist_sweep.cli.text_table import in_columns, wrapped
from mnist_sweep.confirm import wording
from mnist_sweep.confirm.ablate import ablate
from mnist_sweep.confirm.asked import Confirm, check_asked, folder_of
from mnist_sweep.confirm.candidates import (
    Candidate,
    Changes,
    ConfirmError,
    add,
    check_same_data,
    leading,
    of_runs,
    of_trials,
    seeds_for,
)
from mnist_sweep.confirm.conclude import Terms, conclude
from mnist_sweep.confirm.conclusion import Conclusion, write_conclusion
from mnist_sweep.confirm.course import Course, Deadline, look_at_test
from mnist_sweep.confirm.default import default_of
from mnist_sweep.confirm.runs import SeedRun, planned
from mnist_sweep.confirm.seed_axis import has_seeds
from mnist_sweep.confirm.work import Workers
from mnist_sweep.errors import UserError
from mnist_sweep.files import writing
from mnist_sweep.folder_lock import alone_in
from mnist_sweep.passwords import without_password
from mnist_sweep.study_folder import WORKERS
from mnist_sweep.sweep.study_record import StudyRecord, read_study
from mnist_sweep.text import duration, printable, relative


def main(asked: Confirm) -> None:
    """Train, conclude, and say what came out."""
    started = time.monotonic()
    deadline = Deadline(asked.hours)
    check_asked(asked)
    record = read_study(asked.study, asked.storage) if asked.study else None
    candidates, ranked_by = _candidates(asked, record)
    default, none_for = _add_default(asked, record, candidates)
    check_same_data(candidates)
    folder = folder_of(asked, record)
    seeds = seeds_for(candidates, asked.seeds, asked.first, record)
    busy = ConfirmError(
        f"another confirmation is running in {folder}: wait for it, or choose another folder with "
        "to="
    )
    with alone_in(folder, "to", busy):
        runs = planned(candidates, seeds, folder, asked.split_seeds)
        terms = Terms(ranked_by, asked.margin / 100, None, default, asked.split_seeds)
        try:
            conclusion = _confirmed(asked, runs, seeds, terms, deadline, folder)
        except KeyboardInterrupt:
            done = sum(run.done for run in runs)
            print(f"stopped with {done} of {len(runs)} runs done; the same command resumes")
            raise
        conclusion = replace(conclusion, no_default=none_for)
        with writing("to", folder):
            path = write_conclusion(conclusion, folder)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    _print_table([wording.HEADER, *map(wording.row, conclusion.standings)], columns)
    if wording.steps(conclusion):
        _print_table([wording.STEPS, *wording.steps(conclusion)], columns)
    for sentence in wording.sentences(conclusion):
        print(wrapped(sentence, columns))
    print(f"{duration(time.monotonic() - started)}; figures: {relative(path)}")
    if asked.study and not asked.to:
        address = without_password(asked.storage)
        print(f"look next: {for_study('report', asked.study, address)}")


def _confirmed(
    asked: Confirm,
    runs: list[SeedRun],
    seeds: list[int],
    terms: Terms,
    deadline: Deadline,
    folder: Path,
) -> Conclusion:
    """Train what is to be trained, look at test, and return what follows."""
    with Workers(runs, folder / WORKERS, asked.n_jobs) as workers:
        dropped = Course(runs, seeds, terms.ranked_by, asked.race).run(workers, deadline)
        terms = replace(terms, dropped=dropped if asked.race else None)
        look_at_test(runs, terms, workers)
        conclusion = conclude(runs, terms)
        if not asked.ablate:
            return conclusion
        way = ablate(runs, conclusion.standings[0].title, terms, workers, deadline, folder)
        # It may have trained more seeds of the default, which say more of it.
        return replace(conclude(runs, terms), ablation=way)


def _add_default(
    asked: Confirm, record: StudyRecord | None, candidates: list[Candidate]
) -> tuple[str | None, str | None]:
    """Add the study's default configuration; return its key, or say and return why it has none."""
    if not asked.default:
        return None, "default=false leaves it out"
    if record is None:
        print("no default configuration: runs= names none; give its run directory among them")
        return None, "runs= names none"
    try:
        default = default_of(record, candidates[0], Changes(asked.epochs, asked.data))
    except UserError as error:
        if asked.ablate:
            raise ConfirmError(
                f"ablate=true needs the default configuration: {error}; leave ablate out"
            ) from error
        print(printable(f"no default configuration: {error}"))
        return None, str(error)
    known = next((each for each in candidates if each.settings == default.settings), None)
    if known is None:
        add(candidates, default)
        known = candidates[-1]
    return known.key, None


def _candidates(asked: Confirm, record: StudyRecord | None) -> tuple[list[Candidate], str]:
    """Return what is compared, and the figure that orders it."""
    changes, ranked_by = Changes(asked.epochs, asked.data), "val_acc"
    candidates: list[Candidate] = []
    if record:
        if has_seeds(record):
            print(
                "the seed was searched: configurations are in the order of their means over it, "
                "those with one seed or a pruned one last"
            )
        rows = leading(record)
        directories = {row.number: row.attributes.get("run_directory") for row in rows}
        candidates = of_trials(record.name, directories, asked.top, changes)
        if record.objectives[0] == "val_loss":
            ranked_by = "val_loss"
    for candidate in of_runs(arguments.paths(asked.runs), changes):
        add(candidates, candidate)
    return candidates, ranked_by


def _print_table(rows: Sequence[Sequence[str]], columns: int | None) -> None:
    print("\n".join(in_columns(rows, columns, others=str.rjust)))


if __name__ == "__main__":
    arguments.run(Confirm, __doc__ or "", main, wait="reading the study")
