"""The badges of README.md."""

from tools.results.badges import badge, badges


def test_badges_say_what_the_project_file_says():
    found = badges('name = "x"\nrequires-python = ">=3.10"\nlicense = "MIT"\n')
    assert 'aria-label="Python: 3.10 or newer"' in found["python"]
    assert 'aria-label="licence: MIT"' in found["licence"]


def test_a_badge_is_as_wide_as_its_texts():
    assert badge("a", "b").split()[2] < badge("a", "b" * 9).split()[2]
