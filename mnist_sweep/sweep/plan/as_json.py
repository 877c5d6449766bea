"""A plan as plain data, which `dry_run=json` prints. docs/planning.md describes it."""

from dataclasses import asdict
from typing import Any

from mnist_sweep.sweep.plan.costs import Costs, TimedDraw
from mnist_sweep.sweep.plan.draws import Drawn, Survey
from mnist_sweep.sweep.plan.make import Plan
from mnist_sweep.sweep.plan.span import Span

EXAMPLES = 3  # of what passes, and of what is rejected


def as_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON can hold it. Times are in seconds, sizes in bytes."""
    stands = plan.standing
    return {
        "study": {
            "name": stands.name,
            "storage": stands.address,
            "resumed": stands.resumed,
            "ended": stands.ended,
            "n_trials": stands.total,
            "left": stands.left,
            "trial_seconds": stands.run_seconds,
        },
        "searched": [asdict(each) for each in plan.searched],
        "fixed": [asdict(each) for each in plan.fixed],
        "extended": stands.extended,
        "not_searched": [*plan.search.missing, *plan.search.unmet],
        "gate": _gate(plan.survey),
        "sampler": plan.sampler,
        "pruner": plan.pruner,
        "workers": plan.workers,
        "seconds": None if plan.costs is None else _seconds(plan.costs),
        "pruning": None if plan.costs is None else _pruning(plan.costs),
        "launched_in_time": plan.launched,
        "bytes": None if plan.costs is None or plan.costs.disk is None else asdict(plan.costs.disk),
        "notes": [] if plan.costs is None else list(plan.costs.notes),
        "warnings": plan.warnings,
    }


def _gate(survey: Survey) -> dict[str, Any]:
    low, high = survey.interval
    return {
        "draws": len(survey.drawn),
        "passed": len(survey.passed),
        "share": survey.share,
        "share_low": low,
        "share_high": high,
        "counts": {name: _range(survey, name) for name in survey.counted},
        "accepted": [_example(drawn) for drawn in survey.feasible[:EXAMPLES]],
        "rejected": [_example(drawn) for drawn in survey.rejected[:EXAMPLES]],
    }


def _range(survey: Survey, name: str) -> dict[str, float | None]:
    counts = [d.figures[name] for d in survey.drawn if name in d.figures]
    passing = [d.figures[name] for d in survey.feasible if name in d.figures]
    return {
        "smallest": min(counts),
        "largest": max(counts),
        "smallest_accepted": min(passing, default=None),
        "largest_accepted": max(passing, default=None),
    }


def _example(drawn: Drawn) -> dict[str, Any]:
    return {"settings": drawn.params, "counts": drawn.figures, "reason": drawn.reason}


def _seconds(costs: Costs) -> dict[str, Any]:
    def timed(each: TimedDraw) -> dict[str, Any]:
        seconds = each.cost.epoch_seconds
        return {
            "counts": each.drawn.figures,
            "epoch": each.epoch,
            "epoch_low": min(seconds),
            "epoch_high": max(seconds),
            "trial": each.run,
        }

    return {
        "smallest": timed(costs.smallest),
        "largest": timed(costs.largest),
        "trial": costs.typical,
        "trials": sorted(costs.runs),
        "start_up": costs.start_up,
        "estimate_error": costs.rates.error,
        "sweep": _span(costs.whole),
    }


def _pruning(costs: Costs) -> dict[str, Any] | None:
    if costs.pruning is None:
        return None
    found = costs.pruning
    return {"epochs_share": found.share, "source": found.source, "sweep": _span(found.span)}


def _span(span: Span) -> dict[str, float]:
    return {"seconds": span.seconds, "low": span.low, "high": span.high}
