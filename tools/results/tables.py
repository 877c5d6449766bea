"""The tables, as lines of Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_sweep.confirm import wording
from mnist_sweep.confirm.intervals import LEVEL, Interval, in_pairs
from mnist_sweep.text import markdown_table, percent
from tools.results import figures
from tools.results.claims import arm_name, judge
from tools.results.figures import BUDGETS, TAUGHT, Network

Summaries = Mapping[str, Mapping[str, Any]]
ABLATIONS = ("batch_size", "learning_rate", "dropout", "architecture")
PREFIX = "ablation_"
UNMEASURED = ["Not measured yet."]


def tables() -> dict[str, Callable[[Summaries], list[str]]]:
    """Return what makes each table, by the name that pages mark its place with."""
    return {
        "budgets": budgets,
        "in_words": in_words,
        "seeds": seeds,
        "commands": commands,
        "taught": taught,
        "claims": claims,
        **{name: _ablation_of(name) for name in ABLATIONS},
    }


def budgets(summaries: Summaries) -> list[str]:
    """Return the networks of all budgets beside the best of others."""
    rows = []
    for found in figures.networks(summaries):
        best = figures.others_within(BUDGETS[found.file].limit, summaries)
        rows.append(
            (
                BUDGETS[found.file].words,
                f"{found.parameters:,}",
                f"**{wording.percent(found.test)}**",
                str(len(found.accuracies)),
                str(found.epochs),
                f"{_linked(percent(best['test_acc']), best['source'])} ({best['parameters']:,})",
            )
        )
    head = ("budget", "parameters", "test accuracy", "seeds", "epochs", "best of others")
    return table(head, rows)


def _linked(text: str, address: str | None) -> str:
    return text if address is None else f"[{text}]({address})"


def in_words(summaries: Summaries) -> list[str]:
    """Return the networks of all budgets as a sentence."""
    which = []
    for found in figures.networks(summaries):
        best = figures.others_within(BUDGETS[found.file].limit, summaries)
        which.append(
            f"**{wording.percent(found.test)}** with {found.parameters:,} parameters"
            f" ({len(found.accuracies)} seeds; {percent(best['test_acc'])})"
        )
    begins = (
        "Mean test accuracy over fresh seeds, with its 95% interval (and the best single run that "
        "others have published within the same budget)"
    )
    return [f"{begins}: {', '.join(which)}."]


def seeds(summaries: Summaries) -> list[str]:
    """Return every seed's figure, and what the search and the confirmation took."""
    rows = [
        (
            BUDGETS[found.file].words,
            ", ".join(f"{100 * accuracy:.2f}" for accuracy in found.accuracies),
            wording.percent(Interval(**found.summary["configurations"][0]["val_acc"])),
            _search(found),
        )
        for found in figures.networks(summaries)
    ]
    head = ("budget", "test accuracy of each seed, %", "validation", "search")
    return table(head, rows)


def _search(found: Network) -> str:
    search = found.summary["search"]
    if search is None:  # `confirm runs=`: of its experiment
        return f"see below; its seeds are of `experiment={found.file}`"
    trials = search["trials"]
    ran = sum(count for status, count in trials.items() if status in ("complete", "pruned"))
    return (
        f"{ran} trials, {trials.get('pruned', 0)} of them pruned, "
        f"of {search['runs']['max_epochs']} epochs"
    )


def commands(summaries: Summaries) -> list[str]:
    """Return the line that trains each network again."""
    return [
        "```bash",
        *(
            f"python -m mnist_sweep.train experiment={found.file}"
            f"    # {found.parameters:,} parameters"
            for found in figures.networks(summaries)
        ),
        "```",
    ]


def taught(summaries: Summaries) -> list[str]:
    """Return the networks that had a teacher beside the same without."""
    rows = []
    for found in figures.networks(summaries, TAUGHT):
        alone = figures.same_without_teacher(found, summaries)
        rows.append(
            (
                BUDGETS[found.file.removesuffix(TAUGHT)].words,
                f"{found.parameters:,}",
                f"**{wording.percent(found.test)}**",
                str(len(found.accuracies)),
                "not measured" if alone is None else _with_seeds(alone),
                "" if alone is None else _by_teacher(found, alone),
            )
        )
    head = (
        *("budget", "parameters", "with a teacher", "seeds", "without"),
        "difference in points, same seeds",
    )
    return table(head, rows)


def _with_seeds(found: Network) -> str:
    return f"{wording.percent(found.test)} ({len(found.accuracies)} seeds)"


def _by_teacher(taught: Network, alone: Network) -> str:
    """Say what a teacher adds, in pairs of the same seed."""
    difference = in_pairs(taught.by_seed, alone.by_seed, LEVEL, 1 / taught.summary["images"])
    return "" if difference is None else wording.difference(difference)


def _ablation_of(name: str) -> Callable[[Summaries], list[str]]:
    return lambda summaries: ablation(name, summaries)


def ablation(name: str, summaries: Summaries) -> list[str]:
    """Return a setting's values: the reported figure, and ours with its interval."""
    summary = summaries.get(PREFIX + name)
    if summary is None:
        return UNMEASURED
    published = summaries["claims"]["published"][name]
    arms = {arm_name(arm["settings"]): arm for arm in summary["arms"]}
    rows = [
        (
            called,
            percent(value),
            wording.percent(Interval(*(arms[called][key] for key in ("mean", "low", "high")))),
            ", ".join(f"{100 * each:.2f}" for each in arms[called]["values"].values()),
        )
        for called, value in published.items()
    ]
    return table((name.replace("_", " "), "reported", "ours", "our seeds, %"), rows)


def claims(summaries: Summaries) -> list[str]:
    """Return what is claimed, and whether it holds."""
    rows = []
    for claim in summaries["claims"]["claims"]:
        summary = summaries.get(PREFIX + claim["study"])
        if summary is None:
            rows.append((claim["text"], "not measured yet", ""))
            continue
        judged = judge(claim, summary)
        by = "; ".join(
            f"{wording.difference(interval)} against {other}"
            for other, interval in judged.differences.items()
        )
        rows.append((claim["text"], f"**{judged.verdict}**", by))
    return table(("claim", "verdict", "difference in points, with its interval"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table; one line that says so where there are no rows."""
    if not rows:
        return UNMEASURED
    return markdown_table(head, rows)
