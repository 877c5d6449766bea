"""The tables of the results, from figures made by hand."""

import pytest

from tools.results import figures
from tools.results.figures import read
from tools.results.tables import (
    ablation,
    budgets,
    claims,
    commands,
    in_words,
    seeds,
    tables,
    taught,
)


def confirmed(parameters, accuracies, **more):
    mean = sum(accuracies) / len(accuracies)
    leader = {
        "parameters": parameters,
        "epochs": 20,
        "settings": {"batch_size": 64},
        "seeds": {str(n): {"test_acc": value} for n, value in enumerate(accuracies, start=1000)},
        "test_acc": {"mean": mean, "low": mean - 0.001, "high": mean + 0.001},
        "val_acc": {"mean": 0.995, "low": 0.994, "high": 0.996},
    }
    search = {"trials": {"complete": 6, "pruned": 40, "waiting": 5}, "runs": {"max_epochs": 12}}
    return {"configurations": [leader], "search": search, "images": 10_000, **more}


def ablated(values, setting="dropout"):
    arms = [
        {
            "settings": {setting: arm},
            "values": {str(seed): value for seed, value in enumerate(found)},
            "mean": sum(found) / len(found),
            "low": min(found),
            "high": max(found),
        }
        for arm, found in values.items()
    ]
    return {"arms": arms, "runs": {"data": {"sizes": {"val": 10_000}}}}


@pytest.fixture
def summaries():
    others = [
        {"parameters": 7_510, "test_acc": 0.9956, "source": "https://example.org/7510"},
        {"parameters": 1_560, "test_acc": 0.9921, "source": None},
        {"parameters": 1_936, "test_acc": 0.9910, "source": None},
    ]
    return {
        "others": {"networks": others},
        "claims": {
            "published": {"dropout": {"0.05": 0.9949, "0.2": 0.9899}},
            "claims": [
                {"text": "less", "study": "dropout", "better": "0.05", "than": ["0.2"], "by": None}
            ],
        },
        "best_8k": confirmed(7_906, [0.996, 0.9962]),
        "best_2k": confirmed(1_852, [0.993, 0.9928]),
    }


def test_each_budget_is_beside_the_best_of_others_within_it(summaries):
    head, _, eight, two = budgets(summaries)
    assert head == "| budget | parameters | test accuracy | seeds | epochs | best of others |"
    assert eight.startswith("| at most 8,000 | 7,906 | **99.61 ± 0.10%** | 2 | 20 | ")
    assert eight.endswith("| [99.56%](https://example.org/7510) (7,510) |")  # where it was read
    assert two.endswith("| 99.21% (1,560) |")


def test_the_networks_are_a_sentence_too(summaries):
    (said,) = in_words(summaries)
    assert "**99.61 ± 0.10%** with 7,906 parameters (2 seeds; 99.56%), **99.29" in said


def test_every_seed_is_listed_with_what_the_search_took(summaries):
    assert (
        "| 99.60, 99.62 | 99.50 ± 0.10% | 46 trials, 40 of them pruned, of 12 epochs |"
        in (seeds(summaries)[2])
    )


def test_seeds_that_are_of_an_experiment_have_no_search_of_their_own(summaries):
    summaries["best_2k"]["search"] = None
    assert seeds(summaries)[3].endswith("| see below; its seeds are of `experiment=best_2k` |")


def test_a_table_without_figures_says_so(summaries):
    assert taught(summaries) == ["Not measured yet."]
    assert ablation("dropout", summaries) == ["Not measured yet."]
    assert claims(summaries)[2] == "| less | not measured yet |  |"


def test_a_network_with_a_teacher_is_beside_the_same_without(summaries):
    summaries["best_8k_taught"] = confirmed(7_906, [0.997, 0.9972])
    assert taught(summaries)[2] == (
        "| at most 8,000 | 7,906 | **99.71 ± 0.10%** | 2 | 99.61 ± 0.10% (2 seeds) "
        "| +0.10 (+0.06 to +0.14) |"
    )


def test_a_network_with_a_teacher_is_beside_that_of_its_settings_not_of_its_budget(summaries):
    summaries["best_8k_taught"] = confirmed(7_906, [0.997, 0.9972])
    summaries["earlier_8k"] = confirmed(7_906, [0.995, 0.9952])
    for name, settings in {
        "best_8k_taught": {"batch_size": 32, "distill": {"teacher": "1000"}},
        "earlier_8k": {"batch_size": 32, "distill": {"teacher": None}},
    }.items():
        summaries[name]["configurations"][0]["settings"] = settings
    assert "| 99.51 ± 0.10% (2 seeds) |" in taught(summaries)[2]
    del summaries["earlier_8k"]
    assert "| not measured |  |" in taught(summaries)[2]


def test_an_ablation_has_the_published_figure_beside_ours(summaries):
    summaries["ablation_dropout"] = ablated({0.05: [0.993, 0.994], 0.2: [0.992, 0.992]})
    assert ablation("dropout", summaries)[2] == ("| 0.05 | 99.49% | 99.35 ± 0.05% | 99.30, 99.40 |")


@pytest.mark.parametrize(
    ("better", "other", "by", "verdict"),
    [
        ([0.994, 0.9941, 0.9939], [0.992, 0.9921, 0.9919], None, "holds"),
        ([0.992, 0.9921, 0.9919], [0.994, 0.9941, 0.9939], None, "does not hold"),
        ([0.994, 0.9920, 0.9930], [0.993, 0.9930, 0.9930], None, "cannot be told"),
        # Better, but certainly by less than was claimed.
        ([0.994, 0.9941, 0.9939], [0.993, 0.9932, 0.9929], 0.005, "does not hold"),
        ([0.994, 0.9941, 0.9939], [0.993, 0.9932, 0.9929], 0.0005, "holds"),
    ],
)
def test_a_claim_is_judged_by_pairs_of_seeds(summaries, better, other, by, verdict):
    summaries["ablation_dropout"] = ablated({0.05: better, 0.2: other})
    summaries["claims"]["claims"][0]["by"] = by
    assert f"| less | **{verdict}** |" in claims(summaries)[2]


def test_a_claim_of_which_seeds_have_failed_is_judged_by_the_others(summaries):
    summaries["ablation_dropout"] = ablated({0.05: [0.994, 0.9941, 0.9939], 0.2: [0.992, 0.9921]})
    assert "| less | **holds** | +0.20" in claims(summaries)[2]
    summaries["ablation_dropout"] = ablated({0.05: [0.994, 0.9941], 0.2: [0.992]})
    assert "| less | **cannot be told** |  |" in claims(summaries)[2]


def test_a_network_is_trained_again_by_its_experiment(summaries):
    assert commands(summaries)[1] == (
        "python -m mnist_sweep.train experiment=best_8k    # 7,906 parameters"
    )


def test_all_tables_can_be_made_from_the_figures_that_are_committed():
    found = read()
    assert {"others", "claims"} <= set(found)
    for make in tables().values():
        assert make(found)
    assert figures.others_within(2_000, found)["parameters"] == 1_560
