"""The text of the notes on studies and trials, as Markdown, from a study's record."""

import re
from collections.abc import Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.report.objective_values import writer
from mnist_sweep.report.ranking import none_ranked
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import FINISHED, TrialStatus
from mnist_sweep.text import (
    code_block,
    counted,
    duration,
    in_markdown,
    markdown_code,
    markdown_table,
    one_line,
)

# optuna-dashboard widens its page to the longest line of a code block: this many letters fit beside
# its menus on a screen of 1400 pixels.
WIDTH = 88
SHOWN = 5  # trials of a front
# A word of a shell's line, with whatever it has in quotes.
WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"[^"]*")+""")

NEVER_RAN = {
    TrialStatus.REJECTED: "Rejected before it ran",
    TrialStatus.REFUSED: "Refused before it ran",
}
ENDED = (*FINISHED, *NEVER_RAN)


def study_note(record: StudyRecord) -> str:
    """Return what a study's page says: its best, what was searched, and the commands."""
    front = len(record.objectives) > 1
    parts = [_front(record) if front else _best(record), _counts(record)]
    best = record.best[0] if record.best and not front else None
    parts.append(_searched(record, best))
    if best is not None:
        parts += _again(record, best)
    if record.program is not None:
        report = record.program.entry("report", study=record.name, storage=record.address)
        parts += ["All of it on one page:", _code(report)]
    parts.append(_fixed(record))
    return "\n\n".join(part for part in parts if part)


def trial_note(record: StudyRecord, row: Row) -> str:
    """Return what a trial's page says, once it has ended: what came of it, why, and the command."""
    parts = [_outcome(record, row)]
    parts += [_said(row.attributes[key]) for key in ("name", "notes") if key in row.attributes]
    if row.status in FINISHED:
        parts += _again(record, row)
    return "\n\n".join(parts)


def _best(record: StudyRecord) -> str:
    if not record.best:
        return _said(none_ranked(record))
    best = record.best[0]
    return f"## Best: trial {best.number}, {_values(record, best)}\n\n{_ran(record, best)}"


def _front(record: StudyRecord) -> str:
    if not record.best:
        return _best(record)
    shown = record.best[:SHOWN]
    more = f", the first {SHOWN} of them" if len(record.best) > SHOWN else ""
    value_of = writer(record)
    rows = [
        [str(r.number), *(value_of.one(v, n) for n, v in enumerate(r.values)), _where(r)]
        for r in shown
    ]
    table = _table(["trial", *map(_said, record.objectives), "directory"], rows)
    return f"## Front: {counted(len(record.best), 'trial')}{more}\n\n{table}"


def _counts(record: StudyRecord) -> str:
    found = [f"{n:,} {status}" for status, n in sorted(record.counts.items())]
    saved = f", {counted(record.epochs_saved, 'epoch')} saved by pruning"
    return f"Trials: {', '.join(found) or 'none'}{saved if record.epochs_saved else ''}."


def _values(record: StudyRecord, row: Row) -> str:
    return in_markdown(writer(record).named(row.values))


def _ran(record: StudyRecord, row: Row) -> str:
    """Say what is known of a trial's run: its size, epochs, time and directory."""
    known = row.attributes
    said = []
    if "parameters" in known:
        of = f" of at most {record.budget:,}" if record.budget else ""
        said.append(f"{known['parameters']:,} parameters{of}")
    if "epochs" in known and "max_epochs" in known:
        said.append(f"{known['epochs']} of {counted(known['max_epochs'], 'epoch')}")
    if "best_epoch" in known:
        said.append(f"best epoch {known['best_epoch']}")
    if "seconds" in known:
        said.append(duration(known["seconds"]))
    if "run_directory" in known:
        said.append(f"in {_where(row)}")
    return ", ".join(said)


def _where(row: Row) -> str:
    directory = row.attributes.get("run_directory")
    return markdown_code(directory) if directory else ""


def _outcome(record: StudyRecord, row: Row) -> str:
    reason = _said(row.reason) if row.reason else "no reason is recorded"
    if row.status == TrialStatus.COMPLETE:
        over = "" if row.feasible else " (infeasible)"
        return "\n\n".join(filter(None, [f"**{_values(record, row)}**{over}", _ran(record, row)]))
    if row.status in NEVER_RAN:
        return f"**{NEVER_RAN[TrialStatus(row.status)]}**: {reason}"
    said = f"**{row.status.capitalize()}**: {reason}"
    return "\n\n".join(filter(None, [said, _ran(record, row)]))


def _again(record: StudyRecord, row: Row) -> list[str]:
    command = record.command(row)
    return ["Run it again:", _code(command)] if command else []


def _searched(record: StudyRecord, best: Row | None) -> str:
    header = ["setting", "searched", *(["best"] if best else [])]
    rows = []
    for name, among in record.searched.items():
        own = [_number(best.settings[name]) if name in best.settings else ""] if best else []
        rows.append([markdown_code(name), _said(_range(among)), *map(_said, own)])
    return _table(header, rows) if rows else ""


def _fixed(record: StudyRecord) -> str:
    """Return what no trial of the study varies, as its command line set it."""
    settings = (record.definition.get("search") or {}).get("settings") or {}
    rows = [
        [markdown_code(name), markdown_code(str(value))]
        for name, value in settings.items()
        if name.lstrip("+") not in record.searched and "Distribution(" not in str(value)
    ]
    return _table(["fixed", "value"], rows) if rows else ""


def _range(among: BaseDistribution) -> str:
    if isinstance(among, CategoricalDistribution):
        return ", ".join(map(str, among.choices))
    assert isinstance(among, FloatDistribution | IntDistribution)
    scale = ", logarithmic" if among.log else ""
    return f"{_number(among.low)} to {_number(among.high)}{scale}"


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _said(text: str) -> str:
    """Return a text of somebody's as a line of Markdown, in which it is no markup."""
    return in_markdown(one_line(text))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(markdown_table(header, rows))


def _code(command: str) -> str:
    """Return a shell's line as a block of code, continued over as many lines as it needs."""
    lines = [""]
    for word in WORD.findall(command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > WIDTH:
            lines.append(" ")
        lines[-1] += f" {word}" if lines[-1] else word
    return code_block(" \\\n".join(lines))
