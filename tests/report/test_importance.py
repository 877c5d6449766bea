"""Which settings matter, on functions whose true shares are known."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from mnist_sweep.report import importance as module
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import sections
from mnist_sweep.report.importance import importances
from mnist_sweep.report.text import markdown
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS

UNIT = FloatDistribution(0.0, 1.0)
TRUE = {"a": 0.76, "b": 0.17, "c": 0.07}


def filled(name, trials, directions=("maximize",), states=None):
    """A study, read back, of trials given as settings, ranges, values and curves."""
    study = optuna.create_study(
        study_name=name, storage=open_storage(ADDRESS).optuna, directions=list(directions)
    )
    found = []
    for settings, ranges, values, curve, state, attributes in trials:
        complete = state == TrialState.COMPLETE
        found.append(
            create_trial(
                state=state,
                params=settings,
                distributions={key: ranges[key] for key in settings},
                values=list(values) if complete else None,
                intermediate_values=curve,
                user_attrs=attributes,
            )
        )
    study.add_trials(found)
    return read_study(name, ADDRESS)


def complete(settings, ranges, *values):
    return settings, ranges, values, {}, TrialState.COMPLETE, {}


def drawn(count, names="abcd", seed=0):
    random = np.random.default_rng(seed)
    return [{name: float(random.random()) for name in names} for _ in range(count)]


def additive(settings, weights=TRUE):
    """A sum of effects, of which each has its share of the variance: parabolas around 0.3."""
    spread = ((np.linspace(0, 1, 10_001) - 0.3) ** 2).std()
    return sum(
        math.sqrt(share) * (settings[name] - 0.3) ** 2 / spread for name, share in weights.items()
    )


def near(found, true, within=0.06):
    assert {name: round(found[name], 2) for name in true} == pytest.approx(true, abs=within)


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_shares_of_a_sum_are_those_of_its_parts(count, direction):
    ranges = dict.fromkeys("abcd", UNIT)
    trials = [complete(each, ranges, additive(each)) for each in drawn(count)]
    (found,) = importances(filled("sum", trials, [direction]))
    assert found.why_not is None
    near(found.shares, {**TRUE, "d": 0.0})
    assert list(found.shares) == list("abcd")
    assert found.together < 0.05


def test_a_range_counts_on_its_own_scale_and_whole_numbers_and_choices_do_too():
    ranges = {
        "lr": FloatDistribution(1e-5, 1e-1, log=True),
        "units": IntDistribution(1, 9),
        "kind": CategoricalDistribution(["p", "q", None, True]),
    }
    random = np.random.default_rng(1)
    trials = []
    for _ in range(60):
        lr, units, kind = 10 ** random.uniform(-5, -1), int(random.integers(1, 10)), None
        level = int(random.integers(4))
        kind = ranges["kind"].choices[level]
        # Variances: log10(lr) over 4 decades 16/12, units 80/12, levels 1.25.
        value = math.log10(lr) * 0.9 + units * 0.2 + [0.0, 1.0, 2.0, 3.0][level] * 0.5
        trials.append(complete({"lr": lr, "units": units, "kind": kind}, ranges, value))
    parts = {"lr": 0.81 * 16 / 12, "units": 0.04 * 80 / 12, "kind": 0.25 * 1.25}
    (found,) = importances(filled("scales", trials))
    near(found.shares, {name: part / sum(parts.values()) for name, part in parts.items()})


def test_each_of_several_objectives_has_shares_of_its_own():
    """Opposite ones, one rising and one falling: what is better plays no part."""
    ranges = dict.fromkeys("abcd", UNIT)
    opposite = {"a": 0.07, "b": 0.17, "c": 0.76}
    trials = [complete(e, ranges, additive(e), -additive(e, opposite)) for e in drawn(40)]
    record = filled("two", trials, ["maximize", "minimize"])
    first, second = importances(record)
    near(first.shares, TRUE)
    near(second.shares, opposite)
    assert (first.objective, second.objective) == ("value 0", "value 1")
    assert len(charts(record)["importance"][1].axes) == 2
    text = markdown("two", sections(record))
    assert "the variance of value 0" in text
    assert "the variance of value 1" in text


def test_what_settings_do_together_is_no_ones_share():
    ranges = dict.fromkeys("abc", UNIT)
    trials = [
        complete(each, ranges, (each["a"] - 0.5) * (each["b"] - 0.5)) for each in drawn(60, "abc")
    ]
    (found,) = importances(filled("product", trials))
    near(found.shares, {"a": 0.0, "b": 0.0, "c": 0.0})
    assert found.together > 0.9


def conditional(count, seed=0):
    """`kind` decides, and `factor` where kind is p; nothing depends on `floor`, which q has."""
    ranges = {
        "kind": CategoricalDistribution(["p", "q", "r"]),
        **dict.fromkeys(("lr", "factor", "floor"), UNIT),
    }
    random = np.random.default_rng(seed)
    trials = []
    for _ in range(count):
        kind = ["p", "q", "r"][random.integers(3)]
        settings = {"kind": kind, "lr": random.random()}
        value = {"p": 0.0, "q": 1.0, "r": 2.0}[kind] + settings["lr"]
        if kind == "p":
            settings["factor"] = random.random()
            value += 3 * (settings["factor"] - 0.5)
        if kind == "q":
            settings["floor"] = random.random()
        trials.append(complete(settings, ranges, value))
    return trials


def test_a_conditional_setting_has_its_share_among_the_trials_that_have_it():
    trials = conditional(80)
    record = filled("conditional", trials)
    (found,) = importances(record)
    # Variances over all: kind 2/3, lr 1/12, factor (9/12) / 3 of which a third is its own.
    total = 2 / 3 + 1 / 12 + 3 / 12
    near(found.shares, {"kind": 2 / 3 / total, "lr": 1 / 12 / total})
    assert set(found.shares) == {"kind", "lr"}
    near({"together": found.together}, {"together": 3 / 12 / total})
    having = sum("factor" in settings for settings, *_ in trials)
    factor = next(part for part in found.parts if part.setting == "factor")
    assert factor.trials == having
    near({"factor": factor.share}, {"factor": 9 / 10})
    floor = next(part for part in found.parts if part.setting == "floor")
    near({"floor": floor.share}, {"floor": 0.0})
    text = markdown("conditional", sections(record))
    assert "| `kind` | 67% | all 80 trials |" in text.replace("66%", "67%").replace("68%", "67%")
    assert f"the {having} trials that have it |" in text


def test_a_condition_within_a_condition_and_one_on_a_number_are_learned():
    ranges = dict.fromkeys("abcd", UNIT)
    trials = []
    for given in drawn(120, seed=3):
        settings = {"a": given["a"]}
        value = given["a"]
        if given["a"] > 0.4:
            settings["b"] = given["b"]
            value += given["b"]
            if given["b"] > 0.3:
                settings["c"] = given["c"]
                value += 2 * given["c"]
        trials.append(complete(settings, ranges, value))
    (found,) = importances(filled("nested", trials))
    parts = {part.setting: part for part in found.parts}
    # Where c is, a has 0.6**2/12 of the variance, b 0.7**2/12 and c 4/12.
    near({"c": parts["c"].share}, {"c": 4 / (4 + 0.36 + 0.49)})
    near(found.shares, {"a": 1 - found.together})


def test_few_trials_of_a_condition_are_named_and_not_evaluated():
    (found,) = importances(filled("few", conditional(20)))
    assert found.shares
    assert found.parts == []
    assert [name.partition(" ")[0] for name in found.unknown] == ["factor", "floor"]


def halved(count=30):
    """Trials of which those of the bad kind are pruned after epoch 2, beside rejected ones."""
    ranges = {"kind": CategoricalDistribution(["good", "bad"]), "a": UNIT, "b": UNIT}
    trials = []
    for each in drawn(count, "kab", seed=5):
        bad = each.pop("k") > 0.5
        settings = {"kind": "bad" if bad else "good", **each}
        value = each["a"] - 1.0 * bad  # variances 1/12 and 1/4
        curve = {epoch: value * epoch / 4 for epoch in range(1, 3 if bad else 5)}
        state = TrialState.PRUNED if bad else TrialState.COMPLETE
        trials.append((settings, ranges, [], {}, TrialState.PRUNED, {"status": "rejected"}))
        trials.append((settings, ranges, [], {}, TrialState.FAIL, {"status": "refused"}))
        trials.append((settings, ranges, [value], curve, state, {"epochs": len(curve)}))
    return trials


def test_pruned_trials_are_where_the_bad_choices_are():
    trials = halved()
    (found,) = importances(filled("halved", trials))
    assert (found.trials, found.at) == (30, "after epoch 2")
    near(found.shares, {"kind": 0.75, "a": 0.25, "b": 0.0})
    # The complete ones alone know nothing of it.
    kept = [trial for trial in trials if trial[4] == TrialState.COMPLETE]
    (without,) = importances(filled("kept", kept))
    assert without.at == "when done"
    assert list(without.shares) == ["a", "b"]


def test_a_failed_trial_counts_where_it_got_as_far_and_does_not_hold_the_others_back():
    trials = halved()
    settings, ranges = trials[0][:2]
    for epochs in (1, 3):
        curve = dict.fromkeys(range(1, epochs + 1), 0.1)
        trials.append((settings, ranges, [], curve, TrialState.FAIL, {"status": "failed"}))
    (found,) = importances(filled("failed", trials))
    assert (found.trials, found.at) == (31, "after epoch 2")


def test_pruned_trials_that_never_reported_leave_the_complete_ones():
    trials = [(*trial[:3], {}, *trial[4:]) for trial in halved(40)]
    (found,) = importances(filled("silent", trials))
    assert found.at == "when done"
    assert found.trials == sum(trial[4] == TrialState.COMPLETE for trial in trials)


@pytest.mark.parametrize("seed", range(5))
def test_of_noise_there_is_too_little_to_tell_and_no_bar_is_drawn(seed):
    random = np.random.default_rng(seed)
    ranges = dict.fromkeys("abcd", UNIT)
    trials = [complete(e, ranges, random.normal(), random.normal()) for e in drawn(30, seed=seed)]
    record = filled("noise", trials, ["maximize", "minimize"])
    for found in importances(record):
        assert "no better than chance" in found.why_not
        assert found.shares == {}
    assert "importance" not in charts(record)
    assert "| share |" not in markdown("noise", sections(record))


@pytest.mark.parametrize(
    ("count", "value", "why_not"),
    [
        (0, additive, "at least 10 trials that can be compared are needed"),
        (9, additive, "at least 10 trials that can be compared are needed"),
        (11, additive, "too few for 4 settings"),
        (20, lambda each: 0.5, "all of them have the same value"),
    ],
)
def test_why_there_are_no_shares_is_said(count, value, why_not):
    ranges = dict.fromkeys("abcd", UNIT)
    trials = [complete(each, ranges, value(each)) for each in drawn(count)]
    record = filled("few", trials)
    (found,) = importances(record)
    assert found.why_not == why_not
    assert "importance" not in charts(record)


def test_settings_that_did_not_vary_are_none():
    ranges = {"a": UNIT, "b": CategoricalDistribution([1])}
    trials = [complete({"a": each["a"], "b": 1}, ranges, each["a"]) for each in drawn(12, "a")]
    (found,) = importances(filled("one", trials))
    near(found.shares, {"a": 1.0})


def test_of_many_trials_some_stand_for_all(monkeypatch):
    monkeypatch.setattr(module, "MOST", 40)
    ranges = dict.fromkeys("abcd", UNIT)
    trials = [complete(each, ranges, additive(each)) for each in drawn(200)]
    (found,) = importances(filled("many", trials))
    assert (found.trials, found.of) == (40, 200)
    near(found.shares, TRUE)


@pytest.mark.parametrize("every", [100, 10, 3])
def test_what_is_said_of_many_trials_is_of_those_that_were_drawn(monkeypatch, every):
    """A conditional setting has a share only where enough of the drawn ones have it."""
    monkeypatch.setattr(module, "MOST", 40)
    ranges = dict.fromkeys("az", UNIT)
    trials = []
    for number, each in enumerate(drawn(200, "az")):
        settings = each if number % every == 0 else {"a": each["a"]}
        trials.append(complete(settings, ranges, each["a"] + settings.get("z", 0.0)))
    record = filled("sampled", trials)
    (found,) = importances(record)
    having = sum("z" in row.settings for row in module.measured(record, 0).rows)
    if every > 3:
        assert having < module.FEWEST
        assert (found.parts, found.unknown) == ([], [f"z ({having} trials)"])
    else:
        assert [(part.setting, part.trials) for part in found.parts] == [("z", having)]
    text = markdown("sampled", sections(record))
    assert "| `a` | " in text
    assert "| all 40 trials, drawn of 200 |" in text
