from tools.faults.scenario import Outcome, line_of, summary


def test_a_fault_by_which_something_was_lost_has_not_been_survived():
    outcome = Outcome()
    outcome.inject([])
    outcome.inject(["trial 3 is gone"])
    assert (outcome.injected, outcome.survived, outcome.lost) == (2, 1, ["trial 3 is gone"])
    assert line_of("kill", outcome, 61.4) == "kill: 2 injected, 1 survived, 1 lost, 61 s"


def test_what_the_program_said_is_part_of_the_line():
    outcome = Outcome(1, said="error: no room")
    assert line_of("disk", outcome, 3) == (
        "disk: 1 injected, 1 survived, 0 lost, 3 s; said: error: no room"
    )


def test_all_scenarios_together_are_one_line():
    outcomes = [Outcome(100), Outcome(12, ["x"])]
    assert summary(outcomes, 0) == "faults: 112 injected, 111 survived, 1 lost"
    assert summary(outcomes, 1) == "faults: 112 injected, 111 survived, 1 lost; 1 scenario skipped"
