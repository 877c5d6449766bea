"""How often a trial whose process died is run again, counted over all sweeps that ran it."""

from dataclasses import dataclass

from optuna.trial import FrozenTrial

DEATHS = "mnist_sweep:deaths"  # a trial's system attribute: its `Deaths` as a mapping
REACHED = "mnist_sweep:reached"  # another: the last epoch of one that reports none


@dataclass(frozen=True)
class Deaths:
    """How many processes of a trial have died in a row, with how many epochs done."""

    count: int = 0
    reports: int = 0


def after_another_death(trial: FrozenTrial) -> Deaths:
    """Return a trial's deaths with one more: they count from 1 again where it got further."""
    recorded = Deaths(**(trial.system_attrs.get(DEATHS) or {}))
    reports = max(len(trial.intermediate_values), trial.system_attrs.get(REACHED) or 0)
    further = reports > recorded.reports
    return Deaths(1 if further else recorded.count + 1, reports)


@dataclass(frozen=True)
class RetryPolicy:
    """A limit: a trial is retried at most `max_retries` times in a row without another epoch."""

    max_retries: int

    def retries(self, deaths: Deaths) -> bool:
        """Whether a trial with so many deaths is run again."""
        return deaths.count <= self.max_retries
