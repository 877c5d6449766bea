import pytest

from mnist_sweep.text import counted, duration, megabytes, nearest, percent, short_duration


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 trials"), (1, "1 trial"), (2_000, "2,000 trials")]
)
def test_one_of_a_noun_is_no_several(number, expected):
    assert counted(number, "trial") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (307, "5m07s"), (7380, "2h03m")],
)
def test_durations_are_written_as_people_say_them(seconds, expected):
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.012, "0.012s"), (2.34, "2.3s"), (9.94, "9.9s"), (9.96, "10s"), (307, "5m07s")],
)
def test_few_seconds_have_two_digits(seconds, expected):
    assert short_duration(seconds) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0.0 MB"), (340_000, "0.3 MB"), (12_400_000, "12 MB"), (999_600_000, "1.0 GB")],
)
def test_bytes_are_written_as_people_say_them(size, expected):
    assert megabytes(size) == expected


def test_the_nearest_name_is_found():
    assert nearest("n_trial", ["n_jobs", "n_trials"]) == "the nearest is n_trials"
    assert nearest("zzz", ["n_jobs"]) == "known are n_jobs"
    assert nearest("zzz", []) == "it takes none"


@pytest.mark.parametrize(
    ("fraction", "images", "expected"),
    [
        (0.97, 100, "97%"),
        (0.97, 500, "97.0%"),
        (0.97, 1_000, "97.0%"),
        (0.9943, 10_000, "99.43%"),
        (0.9943, 60_000, "99.43%"),
        (0.9943, None, "99.43%"),
        (1.0, 7, "100%"),
    ],
)
def test_an_accuracy_has_the_decimals_that_its_images_can_tell_apart(fraction, images, expected):
    assert percent(fraction, images) == expected
