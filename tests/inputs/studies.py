"""Studies that cannot be what is asked: empty, failed, of another program, of another search."""

import json

import optuna

from mnist_sweep import formats
from tests.inputs.case import case
from tests.inputs.searches import LR, SWEEP

STORAGE = "hydra.sweeper.storage"
DB, LOG = "storage=sqlite:///studies.db", "storage=journal:///studies.log"


def altered(name, **attributes):
    """Return a function that changes a study's attributes, as another program could."""

    def alter():
        study = optuna.load_study(study_name=name, storage="sqlite:///studies.db")
        for key, value in attributes.items():
            study.set_user_attr(key, value)

    alter.__name__ = json.dumps(attributes)[:60]
    return alter


LATER = altered("usual", **{formats.STUDY_KEY: formats.STUDY + 1})


def sweep(name, words, says, spoil=None):
    usual = (
        f"{SWEEP.replace('study_name=s', f'study_name={name}')} {DB.replace('storage', STORAGE)}"
    )
    return case(words, says, "studies.db", spoil, usual)


CASES = [
    case(f"report study=nothing {DB}", "study=nothing is not in", "studies.db"),
    case(f"report study= {DB}", "study", "studies.db"),
    case(f"report study=nothing {LOG}", "study=nothing is not in", "studies.log"),
    case(["report", "study=\x1b[2J", DB], "is not in", "studies.db"),
    case(f"reproduce study=empty {DB}", "study=empty has no complete trial", "studies.db"),
    case(f"reproduce study=failed {DB}", "study=failed has no complete trial", "studies.db"),
    case(f"reproduce study=usual {DB}", "which is not here", "studies.db"),
    case(f"reproduce study=others {DB}", "was never trained", "studies.db"),
    case(f"reproduce study=running trial=0 {DB}", "trial=0 of study=running", "studies.db"),
    case(f"confirm study=empty {DB}", "empty", "studies.db"),
    case(f"confirm study=failed {DB}", "failed", "studies.db"),
    case(f"confirm study=others {DB}", "others", "studies.db"),
    case(f"confirm study=running {DB}", "running", "studies.db"),
    case(f"confirm study=usual {DB}", "that folder is neither here", "studies.db"),
    case(f"confirm study=two {DB}", "two", "studies.db"),
    case(f"confirm study=nothing {LOG}", "study=nothing is not in", "studies.log"),
    case(f"results study=empty {DB}", "empty", "studies.db"),
    case(f"results study=others {DB}", "others", "studies.db"),
    case(f"studies delete=nothing yes=true {DB}", "nothing", "studies.db"),
    case(f"studies delete=nothing yes=true {LOG}", "nothing", "studies.log"),
    case(f"studies export=nothing to=x.zip {DB}", "nothing", "studies.db"),
    case(f"studies rename=nothing to=x {DB}", "nothing", "studies.db"),
    sweep("two", LR, "exists with direction maximize, minimize"),
    sweep("others", LR, "exists with direction minimize"),
    sweep("usual", LR, "exists with another search"),
    sweep("usual", "optimizer.lr=choice(a,b)", "usual"),
    sweep("usual", LR, "usual", altered("usual", definition="text")),
    sweep("usual", LR, "usual", altered("usual", definition=[1])),
    sweep("usual", LR, "usual", altered("usual", definition={"search": 5})),
    sweep("usual", LR, "of a later version", LATER),
    *(
        case(f"{words} {DB}", "of a later version", "studies.db", LATER)
        for words in (
            "report study=usual",
            "watch study=usual",
            "confirm study=usual",
            "results study=usual",
            "reproduce study=usual",
            "studies delete=usual yes=true",
            "studies rename=usual to=x",
            "studies export=usual to=x.zip",
        )
    ),
]
