"""What is said of a study from look to look: what has changed, and what is waited for."""

from collections.abc import Iterator

import optuna

from mnist_sweep.cli.printed_commands import for_study
from mnist_sweep.passwords import without_password
from mnist_sweep.report.live.source import Source
from mnist_sweep.studies.listing import Monitors, State
from mnist_sweep.sweep.read_only import StorageError, answering, file_of
from mnist_sweep.sweep.trial_line import TrialLine
from mnist_sweep.text import printable
from mnist_sweep.watch.screen import Screen
from mnist_sweep.watch.sight import Sight, SightError, look

# What is said where a study is in another state than at the last look.
NOW = {
    State.RUNNING: "trials run",
    State.STOPPED: "no trial runs (the sweep's command resumes the study)",
}


class Watching:
    """The watching of one study, a `step` at a time, until it is `over`."""

    def __init__(self, study: str, storage: str, screen: Screen) -> None:
        self.name, self.address, self.screen = study, storage, screen
        self.source = Source(storage)
        self.owners: Monitors = {}
        self.last: Sight | None = None
        self.said: str | None = None  # why nothing is seen at present
        self.over = False

    @property
    def where(self) -> str:
        """The storage as it may be printed."""
        return str(without_password(self.address))

    def step(self) -> None:
        """Look once, say what has changed, and draw how it stands.

        Raises StorageError where the first look finds no storage that can be read, SightError for a
        study that has gone or that no sweep wrote, and FormatError for a later version's.
        """
        sight = self._look()
        if sight is None:
            return
        for line in self._changes(sight):
            self.screen.say(line)
        self.last, self.said = sight, None
        self.over = sight.entry.state == State.FINISHED
        if self.over:
            self.screen.close()
            for line in self._closing(sight):
                self.screen.say(line)
        else:
            self.screen.draw(sight)

    def _look(self) -> Sight | None:
        """Return what is to be seen; None, and say why, where there is nothing yet."""
        try:
            path = file_of(self.address)
            if self.last is None and path is not None and not path.exists():
                self._wait(f"there is no file {path} yet")
                return None
            storage = self.source.storage()
            with answering(self.address):
                names = optuna.get_all_study_names(storage)
                if self.name in names:
                    study = optuna.load_study(study_name=self.name, storage=storage)
                    return look(study, self.address, self.owners)
        except StorageError as error:
            if self.last is None and self.said is None:
                raise
            self.source.forget()
            self._wait(str(error))
            return None
        if self.last is not None:
            raise SightError(f"study={self.name} is not in {self.where} any more")
        known = ", ".join(map(printable, sorted(names))) or "none"
        self._wait(f"study={self.name} is not in {self.where} yet; it has {known}")
        return None

    def _wait(self, why: str) -> None:
        if why != self.said:
            self.said = why
            self.screen.say(f"{why}: waiting for it; Ctrl-C ends this")

    def _changes(self, sight: Sight) -> Iterator[TrialLine | str]:
        """Yield a line for what the last look has not seen; at first, for how the study stands."""
        entry = sight.entry
        if self.last is None:
            if entry.state in NOW:
                yield f"{self._study(sight)}: {entry.progress} trials done"
                yield f"{NOW[entry.state]}; {sight.standing}"
            return
        yield from (line for n, line in sight.ended.items() if n not in self.last.ended)
        if entry.total != self.last.entry.total:
            yield f"the study wants {entry.total:,} trials now"
        if entry.state != self.last.entry.state and entry.state in NOW:
            yield f"{NOW[entry.state]}; {sight.standing}"

    def _study(self, sight: Sight) -> str:
        return f"study {printable(sight.entry.name)} in {self.where}"

    def _closing(self, sight: Sight) -> Iterator[str]:
        yield f"{self._study(sight)}: complete, {sight.entry.progress} trials done"
        yield sight.standing
        yield f"look next: {for_study('report', self.name, self.where)}"
