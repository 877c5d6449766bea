import pytest

from mnist_sweep.passwords import said_of, without_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (None, None),
        ("sqlite:///multirun/optuna.db", "sqlite:///multirun/optuna.db"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("journal:///study.log", "journal:///study.log"),
        ("postgresql://u@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require"),
        ("mysql://h/db?ssl_key=/path", "mysql://h/db?ssl_key=/path"),
        ("http://127.0.0.1:5000/#/experiments", "http://127.0.0.1:5000/#/experiments"),
        ("postgresql+psycopg://u:secret@h:5432/db", "postgresql+psycopg://u:***@h:5432/db"),
        ("postgresql://:secret@h/db", "postgresql://:***@h/db"),
        ("postgresql://u:sec@ret@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:sec/ret@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:sec?ret@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:s%40cret@h/db", "postgresql://u:***@h/db"),
        ("nonsense://u:secret@host:port/db", "nonsense://u:***@host:port/db"),
        ("//u:secret@h", "//u:***@h"),
        ("http://secret@h:5000", "http://***@h:5000"),
        ("https://u:secret@h/path?x=a@b", "https://u:***@h/path?x=a@b"),
        ("postgresql://h/db?password=secret", "postgresql://h/db?password=***"),
        (
            "postgresql://h/db?user=u&PASSWORD=secret&x=1",
            "postgresql://h/db?user=u&PASSWORD=***&x=1",
        ),
        ("postgresql://h/db?sslpassword=secret", "postgresql://h/db?sslpassword=***"),
        ("postgresql://h/db?%70assword=secret", "postgresql://h/db?%70assword=***"),
        ("postgresql://u:one@h/db?passwd=two", "postgresql://u:***@h/db?passwd=***"),
        ("http://h/?access_token=secret#f", "http://h/?access_token=***#f"),
        ("http://h/?api_key=secret&a=1", "http://h/?api_key=***&a=1"),
        ("http://h/?X-Amz-Signature=secret", "http://h/?X-Amz-Signature=***"),
        ("mssql:///?odbc_connect=PWD%3Dsecret", "mssql:///?odbc_connect=***"),
        ("file:///x;password=secret", "file:///x;password=***"),
        ("host=h password=secret user=u", "host=h password=*** user=u"),
        ("tracking.mlflow.uri=http://u:secret@h", "tracking.mlflow.uri=http://u:***@h"),
        (
            "storage=postgresql+psycopg://u@h/db?password=secret",
            "storage=postgresql+psycopg://u@h/db?password=***",
        ),
        ("- a=postgresql://h/d?password=se?cret&x=1", "- a=postgresql://h/d?password=***&x=1"),
        (
            "a=postgresql://h/d?token=secret b=http://u:secret@h",
            "a=postgresql://h/d?token=*** b=http://u:***@h",
        ),
        ("h?password=http://u:secret@h", "h?password=http://u:***@h"),
    ],
)
def test_an_address_is_shown_without_what_opens_it(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize(
    ("address", "said", "shown"),
    [
        ("postgresql://u:s%40e@h", "no s@e at h", "no *** at h"),
        ("http://h?token=abcd", "url /x?token=abcd failed: abcd", "url /x?token=*** failed: ***"),
        ("http://h", "see http://u:other@h", "see http://u:***@h"),
        (None, "as it is", "as it is"),
    ],
)
def test_what_a_driver_says_has_no_secret_of_its_address(address, said, shown):
    assert said_of(address, said) == shown
