"""Worker processes, with tasks that need neither Hydra's composing nor torch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mnist_sweep.sweep.jobs.backend import Job, JobEnded, run_all
from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend


class Task:
    """Does what a job's first override says, and returns the process that did it."""

    def run(self, number, overrides):
        import os
        import signal
        import sys
        import threading
        import time
        from pathlib import Path

        from hydra.core.utils import JobReturn, JobStatus

        from mnist_sweep.sweep.jobs.backend import failed_return

        what, *rest = overrides
        returned = JobReturn()
        returned.status = JobStatus.COMPLETED
        returned.return_value = (number, os.getpid())
        if what == "env":
            returned.return_value = os.environ.get(rest[0])
        elif what == "argv":
            returned.return_value = (sys.argv, sys.path)
        elif what == "modules":
            returned.return_value = [name for name in rest if name in sys.modules]
        elif what == "exit":
            os._exit(3)
        elif what == "kill":
            os.kill(os.getpid(), getattr(signal, rest[0]))
        elif what == "hang":
            time.sleep(600)
        elif what == "once":  # dies at the first try
            marker = Path(rest[0])
            if not marker.exists():
                marker.touch()
                os._exit(1)
        elif what == "children":  # one in the worker's group, and one in a session of its own
            import subprocess

            ours = subprocess.Popen(["sleep", "600"])
            theirs = subprocess.Popen(["sleep", "600"], start_new_session=True)
            Path(rest[0]).write_text(f"{ours.pid} {theirs.pid}")
            if rest[1] == "exit":
                os._exit(3)
            if rest[1] == "hang":
                time.sleep(600)
        elif what == "handlers":
            import subprocess

            code = "import signal; print(*(signal.getsignal(getattr(signal, f'SIG{n}')) for n in "
            code += "('INT', 'TERM')))"
            command = [sys.executable, "-c", code]
            run = subprocess.run(command, capture_output=True, text=True)
            returned.return_value = run.stdout.strip()
        elif what == "terminated":  # what a child that is terminated leaves, and says
            import multiprocessing

            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
            child.start()
            child.terminate()
            child.join()
            returned.return_value = child.exitcode
        elif what == "at exit":
            import atexit

            atexit.register(Path(rest[0]).touch)
        elif what == "thread":
            slow = threading.Thread(target=lambda: (time.sleep(1.5), Path(rest[0]).touch()))
            slow.start()
        elif what == "raises":
            raise {"keyboard": KeyboardInterrupt, "system": SystemExit, "own": GeneratorExit}[
                rest[0]
            ](*rest[1:])
        elif what == "unflushed":
            print("printed by a job")
        elif what == "unpicklable":
            returned.return_value = threading.Lock()
        elif what == "raise":
            return failed_return(RuntimeError("out of\nmemory"))
        elif what == "interrupted":
            try:
                Path(rest[0] + ".started").touch()
                time.sleep(600)
            except KeyboardInterrupt:
                Path(rest[0]).touch()
                raise
        return returned


@pytest.fixture
def pool():
    pools = []

    def make(count=1, **settings):
        settings.setdefault("environment", lambda slot: {"SLOT": str(slot)})
        pools.append(WorkerBackend(count, Task(), **settings))
        return pools[-1]

    yield make
    for made in pools:
        made.stop(0)


def wait_for(workers):
    """Whatever finishes next."""
    while True:
        if finished := workers.poll(1.0):
            return finished


def run(workers, *what):
    workers.start(Job(7, what))
    (finished,) = wait_for(workers)
    return finished


def test_a_worker_persists_over_its_jobs(pool):
    workers = pool()
    pids = {run(workers, "pid").returned.return_value[1] for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_a_free_worker_takes_the_next_job_while_the_other_is_busy(pool):
    workers = pool(2)
    workers.start(Job(0, ["hang"]))
    assert workers.free() == 1
    for number in (1, 2, 3):
        workers.start(Job(number, ["pid"]))
        assert workers.free() == 0
        (finished,) = wait_for(workers)
        assert finished.returned.return_value[0] == number
    assert workers.running() == [0]


def test_processes_start_when_jobs_are_expected_and_no_more_than_there_are_slots(pool):
    workers = pool(3)
    assert [worker is None for worker in workers.slots] == [True, True, True]
    workers.prepare(2)
    first, second, third = workers.slots
    assert first.process.pid != second.process.pid
    assert third is None
    assert workers.free() == 3
    workers.prepare(9)
    assert workers.slots[:2] == [first, second]
    assert workers.slots[2] is not None
    assert run(workers, "pid").returned.return_value[1] == first.process.pid
    workers.stop(0)
    workers.prepare(0)
    assert workers.slots == [None, None, None]


def test_modules_are_imported_before_the_first_job(pool):
    some = ["wave", "xml.dom.minidom"]
    assert run(pool(), "modules", *some).returned.return_value == []
    assert run(pool(preload=some), "modules", *some).returned.return_value == some


def test_a_module_that_cannot_be_imported_fails_each_job_and_says_so(pool):
    workers = pool(preload=["wave", "no_such_module"])
    for _ in range(2):
        returned = run(workers, "pid").returned
        with pytest.raises(RuntimeError, match=r"preload=no_such_module: No module named"):
            _ = returned.return_value


def test_each_slot_has_its_own_environment_and_the_parents_arguments_and_path(pool):
    workers = pool(2)
    workers.start(Job(0, ["hang"]))
    assert run(workers, "env", "SLOT").returned.return_value == "1"
    assert run(workers, "argv").returned.return_value == (sys.argv, sys.path)


def test_a_worker_that_dies_says_how_and_its_slot_is_rebuilt(pool, tmp_path):
    workers = pool(logs=tmp_path)
    for what, reason in (
        (["exit"], "the worker process exited with code 3"),
        (["kill", "SIGKILL"], "the worker process was ended by SIGKILL (out of memory, or kill"),
        (["kill", "SIGSEGV"], "the worker process was ended by SIGSEGV (segmentation fault)"),
    ):
        finished = run(workers, *what)
        assert finished.died
        assert finished.returned is None
        assert finished.reason.startswith(reason)
        assert finished.reason.endswith("-0.log")
    assert run(workers, "pid").returned is not None


def test_a_worker_that_dies_while_it_is_idle_is_replaced(pool):
    workers = pool()
    pid = run(workers, "pid").returned.return_value[1]
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=5)
    assert run(workers, "pid").returned.return_value[1] != pid


def test_a_job_past_its_timeout_is_killed_and_not_worth_another_try(pool):
    workers = pool(timeout=0.2)
    run(pool(), "pid")
    workers.start(Job(7, ["hang"]))
    pid = workers.slots[0].process.pid
    (finished,) = wait_for(workers)
    assert finished.reason == "it ran longer than trial_timeout=0.2 seconds"
    assert not finished.died
    assert not psutil.pid_exists(pid)
    assert (workers.free(), workers.running()) == (1, [])


def test_what_cannot_be_sent_back_is_an_error_that_says_so(pool):
    returned = run(pool(), "unpicklable").returned
    with pytest.raises(RuntimeError, match="which cannot be sent back"):
        _ = returned.return_value


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children(marker):
    """The processes that a job has started, once it has said which."""
    while not (marker.exists() and marker.read_text().count(" ")):
        time.sleep(0.01)
    return [int(pid) for pid in marker.read_text().split()]


def until_gone(pids):
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "what a job has started lives on"
        time.sleep(0.02)


def test_what_a_job_prints_is_in_its_slots_file_when_it_has_returned(pool, tmp_path):
    workers = pool(logs=tmp_path / "workers")
    run(workers, "unflushed")
    (log,) = (tmp_path / "workers").iterdir()
    assert log.read_text() == "printed by a job\n"


def test_an_idle_worker_ends_as_a_process_does(pool, tmp_path):
    """Its exit handlers run and its threads are waited for, beyond the patience with jobs."""
    workers = pool()
    for what in ("at exit", "thread"):
        run(workers, what, str(tmp_path / what))
    workers.stop(patience=0.1)
    assert (tmp_path / "at exit").exists()
    assert (tmp_path / "thread").exists()


def test_a_worker_without_a_job_yet_is_not_waited_for(pool):
    workers = pool(preload=["tests.sweep.slow_module"])
    workers.prepare(1)
    began = time.monotonic()
    workers.stop(patience=40)
    assert time.monotonic() - began < 30  # its import would take a minute


def test_a_job_that_outlives_the_patience_is_cut_off(pool, tmp_path):
    workers = pool()
    workers.start(Job(0, ["children", str(tmp_path / "pids"), "hang"]))
    pids = children(tmp_path / "pids")
    workers.stop(patience=0)
    until_gone(pids)


def test_what_jobs_leave_ends_with_their_worker(pool, tmp_path):
    workers = pool()
    run(workers, "children", str(tmp_path / "pids"), "return")
    ours, theirs = children(tmp_path / "pids")
    assert alive(ours)
    workers.stop(patience=10)
    until_gone([ours])
    psutil.Process(theirs).kill()  # it has left the group, and its job has returned


def test_what_a_job_has_started_ends_when_it_runs_past_its_timeout(pool, tmp_path):
    workers = pool(timeout=1.5)
    workers.start(Job(7, ["children", str(tmp_path / "pids"), "hang"]))
    pids = children(tmp_path / "pids")
    (finished,) = wait_for(workers)
    assert finished.reason.startswith("it ran longer than")
    until_gone(pids)


@pytest.mark.parametrize("how", ["exit", "kill -9"])
def test_what_a_job_has_started_ends_when_its_worker_dies(pool, tmp_path, how):
    workers = pool()
    workers.start(Job(7, ["children", str(tmp_path / "pids"), "exit" if how == "exit" else "hang"]))
    ours, theirs = children(tmp_path / "pids")
    if how != "exit":
        workers.slots[0].process.kill()
    (finished,) = wait_for(workers)
    assert finished.died
    until_gone([ours])
    psutil.Process(theirs).kill()  # nobody is left who knows of it


def test_what_a_job_starts_has_the_handlers_of_any_process(pool):
    workers = pool()
    assert run(workers, "handlers").returned.return_value == (
        "<built-in function default_int_handler> 0"
    )
    assert run(workers, "terminated").returned.return_value == -signal.SIGTERM


def test_a_job_that_asks_for_its_processs_end_has_failed_and_the_worker_lives(pool):
    workers = pool()
    pid = run(workers, "pid").returned.return_value[1]
    for what, reason in (
        (["keyboard"], "the job raised KeyboardInterrupt"),
        (["own", "enough"], "the job raised GeneratorExit: enough"),
        (["system", "4"], "the job exited with code 4"),
    ):
        finished = run(workers, "raises", *what)
        assert not finished.died
        assert finished.returned.overrides == ["raises", *what]
        with pytest.raises(JobEnded, match=reason):
            _ = finished.returned.return_value
        assert run(workers, "pid").returned.return_value[1] == pid


def test_a_lost_job_is_named_by_its_overrides(pool, capfd):
    (lost,) = run_all(pool(), [Job(0, ["exit", "hydra.verbose=true"])], max_retries=0)
    with pytest.raises(RuntimeError, match="exited with code 3"):
        _ = lost.return_value
    assert "Error executing job with overrides: ['exit']" in capfd.readouterr().err


def test_stopping_interrupts_a_job_which_can_record_it(pool, tmp_path):
    workers = pool()
    record = tmp_path / "interrupted"
    workers.start(Job(0, ["interrupted", str(record)]))
    while not Path(f"{record}.started").exists():
        time.sleep(0.01)
    workers.stop(patience=10)
    assert record.exists()


@pytest.mark.parametrize("what", ["interrupted", "children"])
def test_workers_end_with_their_parent_in_the_midst_of_a_job(tmp_path, what):
    code = (
        "import time\n"
        "from tests.sweep.jobs.test_worker_backend import Task\n"
        "from mnist_sweep.sweep.jobs.backend import Job\n"
        "from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend\n"
        "workers = WorkerBackend(1, Task(), lambda slot: {})\n"
        f"workers.start(Job(0, [{what!r}, {str(tmp_path / 'job')!r}, 'hang']))\n"
        "print(workers.slots[0].process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root
    )
    worker = psutil.Process(int(parent.stdout.readline()))
    if what == "children":
        pids = children(tmp_path / "job")
    while what != "children" and not (tmp_path / "job.started").exists():
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    parent.stdout.close()  # which what a job has started may hold, too
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    if what == "children":
        until_gone(pids)
    else:
        assert not (tmp_path / "job").exists()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_batch_comes_back_in_order_and_runs_again_what_died(pool, tmp_path, caplog):
    jobs = [Job(0, ["once", str(tmp_path / "marker")]), Job(1, ["exit"]), Job(2, ["raise"])]
    jobs.append(Job(3, ["pid"]))
    once, gone, raised, good = run_all(pool(2), jobs, max_retries=1)
    assert once.return_value[0] == 0
    assert good.return_value[0] == 3
    with pytest.raises(RuntimeError, match="exited with code 3"):
        _ = gone.return_value
    with pytest.raises(RuntimeError, match="out of"):
        _ = raised.return_value
    assert caplog.text.count("running it again") == 2


@pytest.mark.parametrize(
    ("count", "logs", "said"),
    [
        (1, None, "1 process of this machine"),
        (2, "workers", "2 processes of this machine, their output in workers"),
    ],
)
def test_it_says_where_trials_run(pool, count, logs, said):
    assert str(pool(count, logs=logs and Path(logs))) == said
