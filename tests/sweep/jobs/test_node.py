"""What a node does with a job, in this process: the job itself has one of its own."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest

from mnist_sweep.sweep.jobs import node
from mnist_sweep.sweep.jobs.backend import Job
from mnist_sweep.sweep.jobs.node import Assignment
from mnist_sweep.sweep.jobs.worker import Program
from mnist_sweep.sweep.jobs.worker_backend import packed


class Task:
    """Does what a job's first override says."""

    def run(self, number, overrides):
        import os
        import time
        from pathlib import Path

        from hydra.core.utils import JobReturn, JobStatus

        what, *rest = overrides
        returned = JobReturn(status=JobStatus.COMPLETED)
        returned.return_value = os.getpid()
        if what == "where":
            print("said by the job", flush=True)
            returned.return_value = os.getcwd(), os.environ["OMP_NUM_THREADS"]  # noqa: PTH109
        elif what == "die":
            os._exit(3)
        elif what == "import":
            returned.return_value = __import__(rest[0]).VALUE
        elif what == "hang":
            try:
                Path(rest[0]).touch()
                time.sleep(600)
            except KeyboardInterrupt:
                Path(rest[0]).with_suffix(".recorded").touch()
                raise
        return returned


@pytest.fixture
def assignment(tmp_path, monkeypatch):
    kept = node._Kept()
    monkeypatch.setattr(node, "_KEPT", kept)
    program = Program.this()
    yield Assignment("s", packed(Task()), program, {"OMP_NUM_THREADS": "3"}, tmp_path / "logs")
    for idle in kept.idle.values():
        for backend, timer in idle:
            timer.cancel()
            backend.stop(0)


def run(assignment, *what, cancelled=lambda: False):
    return cloudpickle.loads(node.run(node.pack(assignment, Job(4, list(what))), cancelled))


def test_a_process_stays_for_the_next_job_of_its_sweep_alone(assignment):
    first = run(assignment, "pid").returned.return_value
    assert first != os.getpid()
    assert run(assignment, "pid").returned.return_value == first
    assert run(replace(assignment, sweep="another"), "pid").returned.return_value != first


def test_a_job_has_the_sweeps_folder_environment_and_a_file_for_what_it_prints(assignment):
    returned = run(assignment, "where").returned
    assert returned.return_value == (str(Path.cwd()), "3")
    (log,) = assignment.logs.iterdir()
    assert "said by the job" in log.read_text()


def test_a_process_that_dies_is_a_death_with_its_reason(assignment):
    finished = run(assignment, "die")
    assert finished.died
    assert "exited with code 3" in finished.reason
    assert run(assignment, "pid").returned is not None


def test_a_job_that_is_not_wanted_any_more_is_interrupted(assignment, tmp_path):
    begun = tmp_path / "begun"
    finished = run(assignment, "hang", str(begun), cancelled=begun.exists)
    assert finished.reason == "interrupted"
    assert begun.with_suffix(".recorded").exists()


def test_a_job_that_is_not_wanted_before_it_begins_has_no_process(assignment):
    assert run(assignment, "pid", cancelled=lambda: True).reason == "interrupted"
    assert not assignment.logs.exists()


def test_a_node_without_the_sweeps_folder_says_so(assignment):
    program = replace(assignment.program, directory="/nowhere/at/all")
    finished = run(replace(assignment, program=program), "pid")
    assert finished.died
    assert "/nowhere/at/all does not exist on" in finished.reason


def test_an_idle_process_ends_after_a_while(assignment, monkeypatch):
    monkeypatch.setattr(node, "KEPT", 0.01)
    pid = run(assignment, "pid").returned.return_value
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_what_the_program_can_import_its_jobs_can(assignment, tmp_path):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "of_the_user.py").write_text("VALUE = 17\n")
    program = replace(assignment.program, path=[*sys.path, str(folder)])
    finished = run(replace(assignment, program=program), "import", "of_the_user")
    assert finished.returned.return_value == 17


def test_the_path_of_the_installation_stays_the_nodes_own(tmp_path):
    path = node.own_path(["", *sys.path, str(tmp_path)])
    assert path[0] == str(Path.cwd())
    assert path[-1] == str(tmp_path)
    assert not any("site-packages" in folder or "lib/python3." in folder for folder in path)


def test_the_function_for_engines_needs_nothing_of_ours_before_it_is_called(tmp_path):
    (tmp_path / "engine_of_a_test.py").write_text("def run(packed): return packed[::-1]\n")
    (tmp_path / "call").write_bytes(cloudpickle.dumps(node.entrance()))
    code = "import sys, cloudpickle; call = cloudpickle.load(open(sys.argv[1], 'rb')); "
    code += "assert 'mnist_sweep' not in sys.modules; "
    code += "print(call([sys.argv[2]], 'engine_of_a_test', b'abc'))"
    command = [sys.executable, "-c", code, str(tmp_path / "call"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "b'cba'"
