"""A plan as a person reads it, in 80 columns, or as data."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.plan.as_json import EXAMPLES, as_data
from mnist_sweep.sweep.plan.costs import Costs, TimedDraw
from mnist_sweep.sweep.plan.draws import Drawn, Survey
from mnist_sweep.sweep.plan.make import Plan, plan_sweep
from mnist_sweep.sweep.plan.space_rows import Fixed
from mnist_sweep.sweep.plan.span import Span
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.text import counted, duration, megabytes, relative, short_duration

WIDTH = 80


def show_plan(given: Given, arguments: list[str]) -> None:
    """Print a sweep's plan; as JSON where `hydra.sweeper.dry_run` is json. Raises SweepError."""
    plan = plan_sweep(given, arguments)
    if given.settings.dry_run == "json":
        print(json.dumps(as_data(plan), indent=2))
        return
    for line in lines(plan, relative(given.directory) if given.task.names_trials else None):
        print(line)


def lines(plan: Plan, directory: str | None) -> Iterator[str]:
    """Yield the lines of a plan. `directory`: where the runs would be; None where jobs choose."""
    yield "A dry run: nothing is trained, and nothing is written."
    yield from _study(plan, directory)
    yield from _space(plan)
    yield from _gate(plan.survey)
    if plan.costs is not None:
        yield from _time(plan, plan.costs)
        yield from _disk(plan.costs, plan.standing.left)
        for note in plan.costs.notes:
            yield from _wrapped(f"note: {note}", 0)
    elif plan.standing.left and plan.survey.feasible:
        yield ""
        yield from _wrapped(
            "Time and disk are unknown: hydra.sweeper.probe names no function that says what a run "
            "costs (docs/planning.md)",
            0,
        )
    for warning in plan.warnings:
        yield from _wrapped(f"warning: {warning}", 0)


def _study(plan: Plan, directory: str | None) -> Iterator[str]:
    stands = plan.standing
    yield ""
    yield from _wrapped(f"Study {stands.name or '(no name)'} in {stands.address or 'memory'}", 0)
    if not stands.resumed:
        yield f"  new: {counted(stands.left, 'trial')}"
    elif stands.left:
        open_ones = f", {stands.unfinished} of them begun" if stands.unfinished else ""
        yield from _wrapped(
            f"resumed: {stands.ended} of {counted(stands.total, 'trial')} have ended, "
            f"{stands.left} left{open_ones}",
            2,
        )
    else:
        yield from _wrapped(
            f"all of its {counted(stands.total, 'trial')} have ended: raise "
            "hydra.sweeper.n_trials for more",
            2,
        )
    if stands.extended:
        yield from _wrapped(stands.extended, 2)
    if stands.untried is not None:
        left = counted(stands.untried, "configuration")
        yield from _wrapped(f"{left} of the space left to try: each runs once", 2)
    if directory is not None:
        yield from _wrapped(f"runs in {directory}", 2)
    off = plan.pruning_off
    pruner = f"off, since {off}" if off else plan.pruner
    yield from _wrapped(f"sampler: {plan.sampler}; pruner: {pruner}; {plan.backend}", 2)


def _space(plan: Plan) -> Iterator[str]:
    yield ""
    yield "Searched"
    rows = [
        (row.setting, row.distribution + (f", if {row.condition}" if row.condition else ""))
        for row in plan.searched
    ]
    yield from _table(rows)
    for name in plan.search.missing:
        yield from _wrapped(f"not searched, since the config has no such setting: {name}", 2)
    for line in plan.search.unmet:
        yield from _wrapped(f"not searched: {line}", 2)
    if plan.fixed:
        yield ""
        yield "Fixed"
        yield from _table([_fixed(row) for row in plan.fixed])


def _fixed(row: Fixed) -> tuple[str, str]:
    instead = f", otherwise {row.instead_of}" if row.instead_of else ""
    condition = f", if {row.condition}" if row.condition else ""
    return row.setting, f"{row.value}{condition} ({row.by}{instead})"


def _gate(survey: Survey) -> Iterator[str]:
    low, high = survey.interval
    yield ""
    yield from _wrapped(
        f"Gate: {len(survey.passed)} of {len(survey.drawn)} random draws pass, "
        f"{survey.share:.0%} (95% interval {low:.0%} to {high:.0%})",
        0,
    )
    for name in survey.counted:
        among = [drawn.figures[name] for drawn in survey.drawn if name in drawn.figures]
        passing = [drawn.figures[name] for drawn in survey.feasible if name in drawn.figures]
        accepted = f"; of what passes {min(passing):,} to {max(passing):,}" if passing else ""
        yield from _wrapped(f"{name}: {min(among):,} to {max(among):,}{accepted}", 2)
    for title, examples in (("pass", survey.feasible), ("rejected", survey.rejected)):
        for drawn in examples[:EXAMPLES]:
            yield from _wrapped(f"{title}: {_what(drawn)}", 2)
            yield from _wrapped(_settings(drawn.params), 6)


def _what(drawn: Drawn) -> str:
    if drawn.reason is not None:
        return drawn.reason
    return (
        ", ".join(f"{value:,} {name}" for name, value in drawn.figures.items()) or "nothing counted"
    )


def _settings(params: Mapping[str, object]) -> str:
    def short(value: object) -> str:
        return f"{value:.4g}" if isinstance(value, float) else override_value(value)

    return " ".join(f"{name}={short(value)}" for name, value in params.items())


def _time(plan: Plan, costs: Costs) -> Iterator[str]:
    yield ""
    yield from _wrapped(
        f"Time ({len(costs.timed)} configurations timed on this machine, {plan.workers} at once)",
        0,
    )
    for title, timed in (("smallest", costs.smallest), ("largest", costs.largest)):
        yield from _wrapped(f"an epoch of the {title}{_count(plan, timed)}: {_epoch(timed)}", 2)
    epochs = sorted({timed.cost.epochs for timed in costs.timed})
    number = (
        counted(epochs[0], "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
    )
    runs = sorted(costs.runs)
    known = "" if plan.standing.run_seconds is None else ", by the study's trials so far"
    yield from _wrapped(
        f"a trial of {number}: {short_duration(costs.typical)} on average "
        f"({short_duration(runs[0])} to {short_duration(runs[-1])}){known}",
        2,
    )
    trials = counted(plan.standing.left, "trial")
    yield from _wrapped(f"{trials} without pruning: {_span(costs.whole)}", 2)
    if costs.pruning is not None:
        found = costs.pruning
        yield from _wrapped(
            f"{trials} with {plan.pruner}: {_span(found.span)}; it trains "
            f"{found.share:.0%} of the epochs, by {found.source}",
            2,
        )
    elif plan.pruning_off is None and plan.pruner != "NopPruner":
        yield from _wrapped(
            f"with {plan.pruner}: at most that; what it saves depends on the curves", 2
        )
    yield from _wrapped(
        f"{short_duration(costs.start_up)} of it until the first trials begin; nine in ten "
        "sweeps of such draws lie in the range",
        2,
    )
    if plan.launched is not None:
        yield from _wrapped(
            f"about {plan.launched:.0f} of {trials} can begin within hydra.sweeper.timeout="
            f"{plan.settings.timeout:g}",
            2,
        )
    for name in ("plateau", "target"):
        value = getattr(plan.settings, name)
        if value is not None:
            yield from _wrapped(f"hydra.sweeper.{name}={value:g} may end it sooner", 2)


def _count(plan: Plan, timed: TimedDraw) -> str:
    if not plan.survey.counted:
        return ""
    name = plan.survey.counted[0]
    return f" ({timed.drawn.figures[name]:,} {name})"


def _epoch(timed: TimedDraw) -> str:
    seconds: Sequence[float] = timed.cost.epoch_seconds
    low, high = short_duration(min(seconds)), short_duration(max(seconds))
    return f"{short_duration(timed.epoch)} ({low} to {high})"


def _span(span: Span) -> str:
    return f"{duration(span.seconds)} ({duration(span.low)} to {duration(span.high)})"


def _disk(costs: Costs, trials: int) -> Iterator[str]:
    if costs.disk is not None:
        yield ""
        each, together, running = (megabytes(round(size)) for size in astuple(costs.disk))
        yield from _wrapped(
            f"Disk: {each} a trial, {together} for {counted(trials, 'trial')}; {running} more for "
            "the checkpoints of running ones",
            0,
        )


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield rows of two columns; a long second one continues below itself."""
    first = min(max((len(name) for name, _ in rows), default=0), 30)
    for name, text in rows:
        yield from textwrap.wrap(
            f"{name:{first}}  {text}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (first + 4),
            break_on_hyphens=False,
            drop_whitespace=True,
            fix_sentence_endings=False,
        )


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False,
    )
