"""The names in a study's folder, multirun/<study>, that commands give files and folders.

A trial's run directory has its number. What is not named here is the user's own.
"""

import re

# Where the shipped searches keep their studies, and the other commands look for them.
STORAGE = "sqlite:///multirun/optuna.db"

BEST = "best"  # links to the files of the run that is best so far
BEST_RUN = "trial"  # a file in that folder, which says whose they are
WORKERS = "workers"  # what worker processes print, a file each
SUMMARY = "optimization_results.yaml"  # the study, its best trial and its trials by status
HYDRAS = "multirun.yaml"  # the sweep's config, as Hydra writes it
CONFIRMATION = "confirmation"  # runs with fresh seeds; the name, or what one begins with
REPORT = "report"
BUNDLES = "bundles"  # exported networks
ANSWER = "answer.json"  # the time that `best` has taken
ANSWER_LOCK = ".answer.lock"  # held by `best` while it works

_TAKEN = {BEST, WORKERS, SUMMARY, HYDRAS, REPORT, BUNDLES, ANSWER}


def is_taken(name: str) -> bool:
    """Whether a command may give a file or folder in a study's folder that name."""
    return (
        name in _TAKEN or re.fullmatch(r"\d+|\..*|confirmation(-.*)?", name, re.DOTALL) is not None
    )
