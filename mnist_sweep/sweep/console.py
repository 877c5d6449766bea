"""What a sweep prints: its decisions, a line a trial, its progress, and what was found."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna.trial import FrozenTrial

from mnist_sweep.cli.printed_commands import shell
from mnist_sweep.errors import full_errors
from mnist_sweep.files import size_of
from mnist_sweep.passwords import without_password
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.best import EVENTS
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.live_view import LiveView
from mnist_sweep.sweep.opening import Decisions, Opened
from mnist_sweep.sweep.storage import OUTAGE
from mnist_sweep.sweep.time_left import Pace
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.proposals import Proposal
from mnist_sweep.sweep.trials.status import TrialStatus, attributes_of
from mnist_sweep.text import counted, duration, megabytes, relative

log = logging.getLogger("mnist_sweep")

SILENCE = 60.0  # seconds without a line, in a log file, after which it says how things stand


class Console(SweepCallback):
    """The printed lines of a sweep: one a trial, and what was decided and found.

    In a terminal, the lines of the trials scroll above a view of the sweep and its workers; in a
    log file there are the lines, and one now and then that says what runs.
    """

    def __init__(self, opened: Opened, given: Given) -> None:
        self.study, self.settings, self.total = opened.study, given.settings, opened.total
        self.objective, self.directory = given.task.objective, given.directory
        self.program = given.program
        self.started = self.spoke = time.monotonic()
        self.done_before = studies.finished(self.study)
        self.said: set[str] = set()
        self.max_epochs: dict[int, int] = {}
        self.rejections: list[Proposal] = []  # not said yet
        self.view: LiveView | None = None
        self.pace = Pace(self.directory, opened.decisions.slots)
        self._say(
            f"study {self.study.study_name} in "
            f"{without_password(self.settings.storage) or 'memory'}: "
            f"{self.done_before} of {self.total} trials done"
        )
        self._say_decisions(opened.decisions)
        if sys.stderr.isatty():
            self.view = LiveView(self.total, self.done_before, opened.decisions.slots)

    def _say_decisions(self, decided: Decisions) -> None:
        """Say what was decided for the user: sampler, pruner, workers, what is not searched."""
        off = decided.pruning_off
        pruner = f"off, since {off}" if off else decided.pruner
        self._say(f"sampler: {decided.sampler}; pruner: {pruner}")
        self._say(f"workers: {decided.backend}")
        if decided.missing:
            names = ", ".join(decided.missing)
            self._say(f"not searched, since the config has no such setting: {names}")
        for line in decided.unmet:
            self._say(f"not searched: {line}")
        if decided.extended:
            self._say(decided.extended)
        if decided.left:
            self._say(
                f"{counted(decided.left, 'configuration')} of the search space left to try: each "
                "runs once"
            )

    def launched(self, number: int) -> None:
        """Time a trial from its launch."""
        self.pace.start(number)

    def recorded(self, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        """Say once what the trials run on, from what the first one recorded at its start."""
        self.max_epochs[facts["trial"]] = facts["max_epochs"]
        data = facts["data"]
        train, val, test = (f"{size:,}" for size in data["sizes"].values())
        for line in (
            f"data: {data['name']}, {train} train / {val} validation / {test} test images; "
            f"{data['reason']}",
            f"device: {facts['device']}, {counted(facts['threads'], 'thread')} a trial, "
            f"{facts['precision']}",
        ):
            self._say_once(line)

    def rejected(self, proposal: Proposal) -> None:
        """Collect proposals that the gate rejected, to say several in one line."""
        self.rejections.append(proposal)

    def _say_rejected(self) -> None:
        rejected, self.rejections = self.rejections, []
        if not rejected:
            return
        closest = min(rejected, key=lambda proposal: proposal.excess)
        if len(rejected) == 1:
            self._say(f"trial {closest.trial.number} rejected: {closest.reason}")
            return
        self._say(
            f"trials {rejected[0].trial.number} to {rejected[-1].trial.number} rejected, "
            f"{len(rejected)} proposals; the closest, trial {closest.trial.number}: "
            f"{closest.reason}"
        )

    def refused(self, number: int, reason: str) -> None:
        """Say that a proposal is no valid run."""
        self._say(f"trial {number} refused: {reason}", logging.WARNING)

    def requeued(self, number: int) -> None:
        """Say that a trial will be resumed whose process is gone."""
        self._say(f"trial {number}: its process is gone; it is requeued and will be resumed")

    def lease_lost(self, number: int) -> None:
        """Say that another sweep has taken over a trial."""
        self.pace.started.pop(number, None)
        self._say(f"trial {number} was taken over by another sweep: its result here is discarded")

    def retried(self, number: int, reason: str) -> None:
        """Say that a trial is resumed in a new process."""
        self.pace.started.pop(number, None)
        self._say(f"trial {number}: {reason}; it is resumed in a new process")

    def failed(self, number: int, reason: str) -> None:
        """Say that a trial failed."""
        self.pace.end(number)
        self._say(f"trial {number} failed: {reason}", logging.WARNING)

    def pruned(self, number: int, reason: str) -> None:
        """Say that a trial was stopped early."""
        self.pace.end(number)
        self._say(f"trial {number} pruned ({self._done()}): {reason}; {self._standing()}")

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Say a trial's values, what is best, and how long is left."""
        self.pace.end(number)
        self._say(
            f"trial {number} done ({self._done()}): {self.objective} {_shown(values)}; "
            f"{self._standing()}"
        )

    def stopped(self, reason: str) -> None:
        """Say why the sweep ends before its total."""
        self._say_once(f"{reason}: no further trial is launched")

    def waiting(self) -> None:
        """Say that the trials that are left run in other processes."""
        self._say_once("no trial is left to launch: waiting for trials that other processes run")

    def tick(self, running: Sequence[int]) -> None:
        """Show how the sweep and its workers stand."""
        self._say_rejected()
        with suppress(*OUTAGE):  # the next look may find the storage again
            if self.view:
                done = studies.finished(self.study)
                self.view.update(done, self._in_view(), self._epochs(running))
            elif time.monotonic() - self.spoke > SILENCE and running:
                epochs = ", ".join(self._epochs(running))
                self._say(f"running: {epochs}; {self._done()} done, {self._standing()}")

    def ending(self) -> None:
        """Take the view away."""
        if self.view:
            self.view.close()
            self.view = None
        self._say_rejected()

    def raised(self, error: BaseException) -> None:
        """Show the traceback of a job that raised, where tracebacks are asked for."""
        if full_errors():
            self._say("".join(traceback.format_exception(error)).rstrip(), logging.ERROR)

    def ended(self) -> None:
        """Say what was found and where to look next."""
        self.ending()
        counts = studies.counts(self.study)
        refused = f", {counts[TrialStatus.REFUSED]} refused" if counts[TrialStatus.REFUSED] else ""
        self._say(
            f"study {self.study.study_name}: {self._done()} trials finished, "
            f"{counts[TrialStatus.PRUNED]} of them pruned, {counts[TrialStatus.FAILED]} failed; "
            f"{counted(counts[TrialStatus.REJECTED], 'proposal')} rejected{refused}; "
            f"{duration(time.monotonic() - self.started)}"
        )
        waiting = counted(counts[TrialStatus.INTERRUPTED], "interrupted trial")
        if counts[TrialStatus.INTERRUPTED]:
            self._say(f"{waiting} will be resumed by the same command")
        running = counted(counts[TrialStatus.RUNNING], "trial")
        if counts[TrialStatus.RUNNING]:
            self._say(f"{running} still running in other processes")
        best = summary.best_trials(self.study)
        for trial in best[:5]:
            self._best(trial)
        if not best:
            self._say("no trial is complete and feasible, so there is no best one")
        folder = relative(self.directory)
        self._say(f"results: {relative(summary.path_in(self.directory))}")
        kept = self.settings.keep_weights
        weights = "" if kept is None else f"; weights are kept of the {kept} best"
        self._say(f"disk: {megabytes(size_of(self.directory))} in {folder}{weights}")
        where = "look next: "
        for line in self._commands(folder, best):
            self._say(f"{where}{line}")
            where = " " * len(where)

    def _commands(self, folder: str, best: Sequence[FrozenTrial]) -> Iterator[str]:
        """Yield the command lines that show what was found."""
        if any(self.directory.glob(f"*/{EVENTS}*")):
            yield shell(["tensorboard", "--logdir", folder])
        address = without_password(self.settings.storage)
        if address:
            named = {"study": self.study.study_name, "storage": address}
            yield self.program.entry("report", **named)
            if best and "val_acc" in best[0].user_attrs:  # a run of ours
                yield self.program.entry("confirm", **named)
            yield shell(["optuna-dashboard", address.removeprefix("journal:///")])

    def _best(self, trial: FrozenTrial) -> None:
        attributes = attributes_of(trial)
        parameters = attributes.get("parameters")
        size = "" if parameters is None else f", {parameters:,} parameters"
        where = attributes.get("run_directory")
        named = f" ({attributes['name']})" if attributes.get("name") else ""
        self._say(
            f"best: trial {trial.number}{named} with {self.objective} {_shown(trial.values)}"
            f"{size}, in {where}"
        )
        again = self.program.command(attributes.get("overrides", []))
        self._say(f"  train it again: {without_password(again)}")

    def _done(self) -> str:
        return f"{studies.finished(self.study)}/{self.total}"

    def _standing(self) -> str:
        """Return what is best, what became of the others, and how long is left."""
        counts = [f"{count} {name}" for name, count in self._counts()]
        return ", ".join([*self._found(), *counts, *self._left()])

    def _in_view(self) -> str:
        """Return the same for a line that a narrow terminal cuts: what is wanted most first."""
        counts = [f"{count} {name}" for name, count in self._counts() if count]
        return ", ".join([*self._left(), *self._found(), *counts])

    def _found(self) -> list[str]:
        best = summary.best_trials(self.study)
        if best and len(self.study.directions) == 1:
            return [f"best {best[0].value:.5g} (trial {best[0].number})"]
        return [f"{len(best)} on the front"] if best else []

    def _counts(self) -> Iterator[tuple[str, int]]:
        by_status = studies.counts(self.study)
        saved = summary.epochs_saved(self.study)
        spared = f" ({counted(saved, 'epoch')} saved)" if saved else ""
        yield f"pruned{spared}", by_status[TrialStatus.PRUNED]
        yield "rejected", by_status[TrialStatus.REJECTED]
        yield "failed", by_status[TrialStatus.FAILED]
        if by_status[TrialStatus.REFUSED]:
            yield "refused", by_status[TrialStatus.REFUSED]

    def _left(self) -> list[str]:
        left = self.pace.left(self.total - studies.finished(self.study))
        return [] if left is None else [f"{duration(left)} left"]

    def _epochs(self, running: Sequence[int]) -> list[str]:
        """Return how far each running trial is."""
        shown = []
        for number in running:
            most = self.max_epochs.get(number)
            done = outcomes.epochs_done(self.directory / str(number))
            how_far = f" epoch {done}/{most}" if most else ""
            starting = not self.pace.has_begun(number) and not how_far
            shown.append(f"trial {number}" + (" is starting" if starting else how_far))
        return shown

    def _say_once(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            self._say(line)

    def _say(self, line: str, level: int = logging.INFO) -> None:
        self._say_rejected()
        self.spoke = time.monotonic()
        if self.view:
            self.view.above(lambda: log.log(level, line))
        else:
            log.log(level, line)


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.5g}" for value in values)
