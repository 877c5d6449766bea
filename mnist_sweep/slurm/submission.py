"""Handing a batch script to Slurm."""

import re
import shutil
import subprocess

from mnist_sweep.errors import UserError
from mnist_sweep.text import shortened

JOB = re.compile(r"(?P<job>\d+)(;\S+)?")  # --parsable: the job, and its cluster where it is named


class SubmissionError(UserError):
    """A script that Slurm does not take."""


def submit(script: str) -> str:
    """Submit a batch script and return the number of its job. Raises SubmissionError."""
    if shutil.which("sbatch") is None:
        raise SubmissionError(
            "sbatch is not here: give this command where Slurm's are, say on a login node; "
            "dry_run=true prints the script"
        )
    done = subprocess.run(
        ["sbatch", "--parsable"],
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    found = JOB.fullmatch(done.stdout.strip())
    if done.returncode or found is None:
        said = done.stderr.replace("sbatch: error: ", "").strip() or done.stdout
        raise SubmissionError(f"sbatch does not take the script: {shortened(said)}")
    return found["job"]
