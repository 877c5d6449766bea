"""report.md: what was searched and what it cost, the best, what matters, how to do it again."""

import shlex
from collections.abc import Iterable, Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.report.importance import at_the_ends, importances
from mnist_sweep.report.reading import Row, StudyRecord
from mnist_sweep.sweep import study as studies
from mnist_sweep.text import duration

SHOWN = 10  # configurations


def report(record: StudyRecord) -> str:
    """Return the whole text, in Markdown."""
    parts = [f"# {record.name}", _searched(record), _cost(record), _best(record)]
    parts += [_fronts(record), _matters(record), _again(record)]
    return "\n\n".join(part for part in parts if part) + "\n"


def command(row: Row) -> str:
    """Return the command line that trains a trial's configuration again."""
    return " ".join(["python -m mnist_sweep.train", *(shlex.quote(word) for word in row.command)])


def _cost(record: StudyRecord) -> str:
    counts = record.counts
    launched = len(record.finished)
    trained, saved = record.epochs_trained, record.epochs_saved
    lines = [
        f"- {launched} trials ran: {counts[studies.COMPLETE]} complete, "
        f"{counts[studies.PRUNED]} pruned, {counts[studies.FAILED]} failed",
        f"- {counts[studies.REJECTED]} proposals were rejected over budget, before anything ran",
        f"- {trained:,} epochs trained, {saved:,} saved by pruning"
        + (f" ({saved / (trained + saved):.0%})" if saved else ""),
        f"- {duration(record.seconds)} of training, all trials added up{_wall(record)}",
    ]
    for status in (studies.RUNNING, studies.INTERRUPTED, studies.QUEUED, studies.REFUSED):
        if counts[status]:
            lines.append(f"- {counts[status]} {status}")
    return "## What it cost\n\n" + "\n".join(lines)


def _wall(record: StudyRecord) -> str:
    began = [row.began for row in record.finished if row.began]
    ended = [row.ended for row in record.finished if row.ended]
    if not began or not ended:
        return ""
    return f"; {duration((max(ended) - min(began)).total_seconds())} from the first to the last"


def _searched(record: StudyRecord) -> str:
    aims = ", ".join(
        f"{objective} ({direction})"
        for objective, direction in zip(record.objectives, record.directions, strict=True)
    )
    lines = [f"- objective: {aims}"]
    if record.budget is not None:
        lines.append(f"- budget: at most {record.budget:,} parameters")
    drawn = {name: _range(among) for name, among in record.searched.items()}
    fixed = {
        name: str(setting)
        for name, setting in record.definition.get("search", {}).get("settings", {}).items()
        if name not in drawn
    }
    rows = [(f"`{name}`", text) for name, text in (drawn | fixed).items()]
    return f"## What was searched\n\n{chr(10).join(lines)}\n\n{_table(('setting', 'values'), rows)}"


def _range(among: BaseDistribution) -> str:
    if isinstance(among, CategoricalDistribution):
        return ", ".join(map(str, among.choices))
    assert isinstance(among, FloatDistribution | IntDistribution)
    return f"{among.low:g} to {among.high:g}{' (log)' if among.log else ''}"


def _best(record: StudyRecord) -> str:
    if not record.best:
        return "## The best configurations\n\nNo trial that fits the budget is complete."
    several = len(record.directions) > 1
    title = "The front" if several else "The best configurations"
    names = list(dict.fromkeys(n for row in record.best[:SHOWN] for n in row.settings))
    header = ("trial", *record.objectives, "parameters", "epochs", *(f"`{n}`" for n in names))
    rows = [
        (
            str(row.number),
            *(f"{value:.6g}" for value in row.values),
            _number(row.attributes.get("parameters")),
            f"{row.attributes.get('epochs', '')}",
            *(_short(row.settings.get(name, "")) for name in names),
        )
        for row in record.best[:SHOWN]
    ]
    return (
        f"## {title}\n\n{_table(header, rows)}\n\nEach is one run on validation images that chose "
        "it: the first of many is flattered. Train it with fresh seeds before you believe it."
    )


def _fronts(record: StudyRecord) -> str:
    """Accuracy against parameters, for a study of one objective: who is best at his size."""
    if len(record.directions) > 1:
        return ""
    sized = [row for row in record.best if isinstance(row.attributes.get("parameters"), int)]
    front: list[Row] = []
    for row in sized:  # best first: each that is smaller than all before is on the front
        if not front or row.attributes["parameters"] < front[-1].attributes["parameters"]:
            front.append(row)
    if not front:
        return ""
    rows = [
        (_number(row.attributes["parameters"]), f"{row.values[0]:.6g}", str(row.number))
        for row in front
    ]
    name = record.objectives[0]
    return f"## The best of each size\n\n{_table(('parameters', name, 'trial'), rows)}"


def _matters(record: StudyRecord) -> str:
    shares, caveat = importances(record)
    lines = [f"*{caveat}*\n"] if caveat else []
    if shares:
        lines.append(
            _table(("setting", "share"), [(f"`{n}`", f"{s:.0%}") for n, s in shares.items()]) + "\n"
        )
    lines += [f"- {line}" for line in at_the_ends(record)]
    return "## Which settings matter\n\n" + "\n".join(lines)


def _again(record: StudyRecord) -> str:
    rows = [row for row in record.best[:SHOWN] if row.command]
    if not rows:
        return ""
    lines = [f"# trial {row.number}\n{command(row)}" for row in rows]
    return "## Again\n\n```bash\n" + "\n".join(lines) + "\n```"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
