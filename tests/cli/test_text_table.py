from mnist_sweep.cli.text_table import in_columns, wrapped


def test_a_wide_table_fits_a_terminal_by_giving_long_names_a_line():
    rows = [
        ("configuration", "parameters", "test accuracy"),
        ("outputs/2026-11-27/07-19-01", "18,978", "99.65 ± 0.03%"),
        ("trial 0", "7,850", "92%"),
    ]
    assert max(map(len, in_columns(rows))) > 50
    lines = in_columns(rows, 42)
    assert max(map(len, lines)) <= 42
    assert lines[1] == "outputs/2026-11-27/07-19-01"
    assert lines[2].split() == ["18,978", "99.65", "±", "0.03%"]
    assert lines[3].startswith("trial 0")


def test_columns_are_aligned_as_they_are_asked_to_be():
    rows = [("epoch", "loss"), ("1", "0.25")]
    assert in_columns(rows) == ["epoch  loss", "1      0.25"]
    assert in_columns(rows, others=str.rjust, first=str.rjust) == ["epoch  loss", "    1  0.25"]


def test_sentences_are_lines_of_whole_words_in_a_terminal_and_one_line_elsewhere():
    sentence = "a/run-of-mine and trial 2 cannot be told apart: " + "+0.65 points " * 9
    lines = wrapped(sentence, 30).splitlines()
    assert " ".join(lines) == sentence.strip()
    assert max(map(len, lines)) <= 30
    assert wrapped(sentence, None) == sentence
