"""What a study found: its best trials, how close its rejections came, and the summary file."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.errors import is_the_machines, reason
from mnist_sweep.files import remove_leftovers, replacing
from mnist_sweep.passwords import without_password
from mnist_sweep.study_folder import BEST, BEST_RUN, SUMMARY
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.best_link import point_to, remove_unfinished
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.trials.gated_sampler import is_grid
from mnist_sweep.sweep.trials.status import TrialStatus, attributes_of, is_feasible, status_of
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import counted, one_line, relative

log = logging.getLogger("mnist_sweep")

OLD = 60.0  # seconds; no sweep writes one for that long


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the feasible complete trials."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if is_feasible(trial)
    ]


def rejections(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that the gate rejected."""
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return [trial for trial in pruned if status_of(trial) == TrialStatus.REJECTED]


def nothing_fits(
    tally: Tally,
    in_a_row: int | None = None,
    draws: int = 0,
    closest_probe: Verdict | None = None,
) -> str:
    """Say that the gate let nothing pass, and how close the closest configuration came.

    `in_a_row`: after how many proposals; None where the space holds no others. `draws`: how many
    more were drawn, and the closest of those.
    """
    closest = tally.closest
    assert closest is not None
    what, more = "no configuration of the search space passes the gate", ""
    if draws:
        what += f" among {in_a_row} proposals and {draws} more draws"
    elif in_a_row is not None:
        what = f"{counted(in_a_row, 'proposal')} in a row did not pass the gate"
        more = " or hydra.sweeper.max_rejections"
    who, reason = f", trial {closest.number},", attributes_of(closest)["reason"]
    if closest_probe is not None and _worst(closest_probe.constraints) < _worst(
        closest.constraints
    ):
        who, reason = "", closest_probe.reason
    return (
        f"{what}; the closest{who} has {reason}: change the search space (hydra.sweeper.params), "
        f"or raise the budget{more}"
    )


def _worst(constraints: Mapping[str, float]) -> float:
    return max(constraints.values(), default=math.inf)


def spared(epochs: int) -> str:
    """Return what pruning saved as an addition to the number pruned: " (8 epochs saved)", or ""."""
    return f" ({counted(epochs, 'epoch')} saved)" if epochs else ""


def path_in(directory: Path) -> Path:
    """Return where a sweep directory has its results."""
    return directory / SUMMARY


def check_directory(study: optuna.Study, directory: Path) -> None:
    """Raise SweepError for a sweep directory that has runs of another study, or may have."""
    identity, path = study_store.identity(study), path_in(directory)
    try:
        recorded = OmegaConf.select(OmegaConf.load(path), "study_id") if path.exists() else None
    except OSError:
        raise
    except Exception as error:  # of YAML, of its encoding, or of another kind of document
        raise SweepError(
            f"{relative(path)} is damaged, so whose runs are beside it is not known: delete it if "
            f"they are those of study {study.study_name!r}, and it is written anew "
            f"({one_line(error)[:80]})"
        ) from error
    runs = [p for p in directory.glob("*") if p.name.isdigit()] if recorded is None else []
    if recorded not in (None, identity) or (runs and not study.get_trials(deepcopy=False)):
        raise SweepError(
            f"{relative(directory)} has runs of another study with that name, which is not in this "
            f"database: move the folder away, or {study_store.another_name()}"
        )


def write_results(tally: Tally, storage: str | None, directory: Path, final: bool = True) -> None:
    """Write what a study has found so far into its sweep directory.

    The file has the stock sweeper's keys, and what else there is to know. The list of a grid's
    skipped points, which can be long, is in the `final` one only.
    """
    study, best = tally.study, tally.best
    found: dict[str, Any] = {"name": "optuna"}
    if len(tally.directions) == 1:
        found["best_params"] = best[0].params if best else None
        found["best_value"] = best[0].value if best else None
        found["best_trial"] = best[0].number if best else None
        found["best_run_directory"] = best[0].user_attrs.get("run_directory") if best else None
    else:
        found["solutions"] = [
            {"params": t.params, "values": t.values, "trial": t.number} for t in best
        ]
    by_status = tally.counts
    found |= {
        "study_name": study.study_name,
        "study_id": study_store.identity(study),
        "storage": without_password(storage),
        "directions": study_store.direction_names(study),
        "trials": {status.value: by_status[status] for status in TrialStatus},
        "epochs_saved": tally.epochs_saved,
    }
    if tally.closest is not None:
        found["smallest_rejected"] = _rejection(tally.closest)
    if final and is_grid(study.sampler):
        found["skipped"] = [_rejection(trial) for trial in rejections(study)]
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(path_in(directory)) as temporary:
        OmegaConf.save(OmegaConf.create(found), temporary)


def _rejection(trial: FrozenTrial) -> dict[str, Any]:
    parameters = attributes_of(trial).get("parameters")
    return {"trial": trial.number, "parameters": parameters, "params": trial.params}


class SummaryFile(SweepCallback):
    """A sweep directory's summary and its best/, kept up to date."""

    def __init__(self, tally: Tally, storage: str | None, directory: Path) -> None:
        self.tally, self.storage, self.directory = tally, storage, directory
        self.said = False  # that best/ has no links

    def told(self) -> None:
        """Write what has been found so far."""
        write_results(self.tally, self.storage, self.directory, final=False)
        self._point_to_best()

    def ended(self) -> None:
        """Write what was found; remove what killed sweeps have left of such files."""
        remove_leftovers(self.directory, OLD)
        remove_unfinished(self.directory / BEST, OLD)
        write_results(self.tally, self.storage, self.directory)
        self._point_to_best()

    def _point_to_best(self) -> None:
        """Have best/ lead to the best trial. A convenience: no sweep ends for want of it."""
        if len(self.tally.directions) > 1 or not self.tally.best:
            return
        run = str(self.tally.best[0].user_attrs.get("run_directory", ""))
        try:
            failed = point_to(self.directory / BEST, Path(run))
        except FileNotFoundError:  # another sweep of the study makes it too: the next time will do
            return
        except OSError as error:
            if is_the_machines(error):
                raise
            failed = reason(error)
        if failed and not self.said:
            self.said = True
            log.warning(
                "%s has no links (%s): its file %s says which run is the best",
                relative(self.directory / BEST),
                failed,
                BEST_RUN,
            )
