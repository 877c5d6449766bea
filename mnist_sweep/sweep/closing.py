"""The last lines of a sweep: what was found, what it cost, and what to do next."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from mnist_sweep.cli.printed_commands import has_makefile, make_target
from mnist_sweep.files import size_of
from mnist_sweep.passwords import without_password
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.best_link import EVENTS
from mnist_sweep.sweep.decisions import Satisfied
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.proportion import wilson
from mnist_sweep.sweep.study_store import SEED
from mnist_sweep.sweep.trial_line import Change
from mnist_sweep.sweep.trials.status import TrialStatus, attributes_of
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import counted, duration, megabytes, percent, relative

MOST_NAMED = 5  # trials of a front
INDENT = "  "


@dataclass(frozen=True)
class Closing:
    """What a sweep says at its end. `total`: the trials that its study is to have.

    `changes` returns the settings of a trial that differ from the default.
    """

    tally: Tally
    given: Given
    total: int
    written: ObjectiveText
    changes: Callable[[FrozenTrial], Sequence[Change]]

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield the lines of a sweep that took so many seconds: the answer first."""
        best = self.tally.best
        for trial in best[:MOST_NAMED]:
            yield from self._best(trial)
        if len(best) > MOST_NAMED:
            yield f"and {len(best) - MOST_NAMED} more on the front"
        default = self._default()
        if default is not None and all(trial.number != default.number for trial in best):
            yield f"default: {self._how_good(default)}"
        if not best:
            yield "no trial is complete and feasible, so there is no best one"
        yield from self._counts(seconds)
        folder = relative(self.given.directory)
        yield f"results: {relative(summary.path_in(self.given.directory))}"
        kept = self.given.settings.keep_weights
        weights = "" if kept is None else f"; weights are kept of the {kept} best"
        yield f"disk: {megabytes(size_of(self.given.directory))} in {folder}{weights}"
        where = "look next: "
        for line in self._commands(folder, best):
            yield f"{where}{line}"
            where = " " * len(where)

    def _best(self, trial: FrozenTrial) -> Iterator[str]:
        """Yield how good a trial is, what it is, and how it is trained again."""
        attributes = attributes_of(trial)
        yield f"best: {self._how_good(trial)}"
        images = self.written.images
        if len(trial.values) == 1 and self.written.is_accuracy() and images is not None:
            low, high = (percent(end, images) for end in wilson(trial.values[0], images))
            yield (
                f"{INDENT}{counted(images, 'validation image')} leave {low} to {high} open "
                "(95% interval of one run)"
            )
        changed = self.changes(trial)
        if changed:
            different = " ".join(change.text for change in changed)
            yield f"{INDENT}other than the default: {different}"
        else:
            yield f"{INDENT}it is the default configuration"
        if SEED in trial.params and len(trial.params) > 1:
            yield f"{INDENT}this is one seed: the report has each configuration over its seeds"
        yield f"{INDENT}run: {attributes.get('run_directory')}"
        yield f"{INDENT}train it again: {self._again(trial)}"

    def _how_good(self, trial: FrozenTrial) -> str:
        attributes = attributes_of(trial)
        named = f" ({attributes['name']})" if attributes.get("name") else ""
        size = self._size(attributes.get("parameters"))
        return f"trial {trial.number}{named} with {self.written.named(trial.values)}{size}"

    def _size(self, parameters: int | None) -> str:
        if parameters is None:
            return ""
        most = self.given.task.budget
        share = f" ({parameters / most:.0%} of the budget)" if most else ""
        said = "parameters" in self.written.names
        return share if said else f", {parameters:,} parameters{share}"

    def _default(self) -> FrozenTrial | None:
        """Return the complete trial of the default configuration; None where there is none."""
        for trial in summary.complete_trials(self.tally.study):
            if not self.changes(trial):
                return trial
        return None

    def _again(self, trial: FrozenTrial) -> str:
        attributes, program = attributes_of(trial), self.given.program
        run = attributes.get("run_directory")
        if program.ours and run and has_makefile():
            return make_target("reproduce", program.environment, run=run)
        return str(without_password(program.command(attributes.get("overrides", []))))

    def _counts(self, seconds: float) -> Iterator[str]:
        counts = self.tally.counts
        spared = summary.spared(self.tally.epochs_saved)
        pruned = f"{counts[TrialStatus.PRUNED]} of them pruned{spared}"
        refused = f", {counts[TrialStatus.REFUSED]} refused" if counts[TrialStatus.REFUSED] else ""
        yield (
            f"study {self.tally.study.study_name}: {self.tally.finished} of "
            f"{counted(self.total, 'trial')} finished, {pruned}, "
            f"{counts[TrialStatus.FAILED]} failed; "
            f"{counted(counts[TrialStatus.REJECTED], 'proposal')} rejected{refused}; "
            f"{duration(seconds)}"
        )
        if counts[TrialStatus.INTERRUPTED]:
            yield self._resumed(counts[TrialStatus.INTERRUPTED])
        if counts[TrialStatus.RUNNING]:
            running = counted(counts[TrialStatus.RUNNING], "trial")
            yield f"{running} still running in other processes"

    def _resumed(self, interrupted: int) -> str:
        """Say whether the same command resumes the interrupted trials, and else which one does."""
        waiting, settings = counted(interrupted, "interrupted trial"), self.given.settings
        enough = Satisfied(settings.plateau, settings.target, settings.directions == ["minimize"])
        reason = enough.reason(self.tally.since_best, self.tally.best_value)
        if reason is not None:
            return f"{waiting}: not resumed by the same command, since {reason}"
        left = self.total - self.tally.launched
        if left >= interrupted:
            return f"{waiting} will be resumed by the same command"
        resumed = "none of them" if left <= 0 else f"{left} of them"
        return (
            f"{waiting}: the same command resumes {resumed}; "
            f"hydra.sweeper.n_trials={self.tally.launched + interrupted} resumes all"
        )

    def _commands(self, folder: str, best: Sequence[FrozenTrial]) -> Iterator[str]:
        """Yield the command lines that show what was found, and whether it is true."""
        program, name = self.given.program, str(self.tally.study.study_name)
        address = without_password(self.given.settings.storage)
        if address:
            yield program.for_study("report", name, address)
            if best and "val_acc" in best[0].user_attrs:  # a run of ours
                yield program.for_study("confirm", name, address)
        if any(self.given.directory.glob(f"*/{EVENTS}*")):
            yield self._tensorboard()
        if address and program.ours and has_makefile():
            yield make_target("dashboard", program.environment, storage=address)
        elif address:
            yield program.entry("dashboard", storage=address)

    def _tensorboard(self) -> str:
        folder, program = self.given.directory.resolve(), self.given.program
        usual = relative(folder.parent) == "multirun"  # where the command looks
        if usual and has_makefile():
            return make_target("tensorboard", program.environment, study=folder.name)
        sweeps = None if usual else relative(folder.parent)
        return program.entry("tensorboard", study=folder.name, sweeps=sweeps)
