"""Ending a group of processes."""

import os
import subprocess
import sys

import psutil

from mnist_sweep.sweep.jobs import process_group


def test_a_group_is_killed_although_a_child_of_its_leader_has_just_ended(monkeypatch):
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    leader = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not psutil.Process(leader.pid).children():
        pass

    def ended(pid):
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(os, "getpgid", ended)
    process_group.kill(leader.pid)
    assert leader.wait(timeout=10) == -9
