"""What the server answers, and whom it refuses."""

import http.client
import json
import socket

import pytest

from mnist_sweep.cli.interruption import Terminated
from mnist_sweep.errors import UserError
from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.live import server as module
from mnist_sweep.report.live.pages import address_of
from mnist_sweep.report.live.server import HOST, serving
from tests.inputs.commands import call
from tests.report.conftest import ADDRESS, add, create


@pytest.fixture
def ask(usual, made, monkeypatch):
    """Return a function that asks a server, whose pages are made at once."""
    monkeypatch.setattr(module.Renewal, "run", lambda self: None)
    with serving(ADDRESS, 0) as server:

        def asked(path="/", method="GET", host="127.0.0.1", **headers):
            server.renewal.step()
            connection = http.client.HTTPConnection(HOST, server.server_address[1], timeout=30)
            connection.putrequest(method, path, skip_host=True)
            if host is not None:
                connection.putheader("Host", host)
            for key, value in headers.items():
                connection.putheader(key, value)
            connection.endheaders()
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            return answer, text

        yield asked


def twice(ask, path):
    ask(path)
    return ask(path)


def test_the_list_and_a_study_are_pages(ask):
    answer, text = twice(ask, "/")
    assert answer.status == 200
    assert 'href="/study?name=usual"' in text
    answer, text = twice(ask, address_of("usual"))
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")
    assert "6 trials done" in text
    assert 'data-news="/news?name=usual"' in text


def test_news_have_the_version_of_the_page_and_its_age(ask):
    _, page = twice(ask, "/study?name=usual")
    answer, text = ask("/news?name=usual")
    news = json.loads(text)
    assert answer.headers.get_content_type() == "application/json"
    assert f'data-version="{news["version"]}"' in page
    assert news["line"].endswith("6 trials done, 1 running")
    assert news["trouble"] is False


def test_a_studys_name_reaches_its_page_whatever_it_is(ask):
    name = "../é +&=?#\n<b>"
    add(create(name), "complete", 0.5)
    _, text = twice(ask, address_of(name))
    assert "1 trial done" in text
    assert "<b>" not in text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:9000", "127.0.0.1:1"])
def test_this_machines_own_names_are_answered(ask, host):
    assert ask(host=host)[0].status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "", None, "[", "a@b"]
)
def test_another_name_is_refused(ask, host):
    answer, text = ask(host=host)
    assert answer.status == 421
    assert "usual" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_only_reading_is_answered(ask, method):
    answer, _ = ask(method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_is_the_answer_without_its_page(ask):
    answer, text = ask(method="HEAD")
    assert (answer.status, text) == (200, "")
    assert int(answer.headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/studies.log",
            "/../studies.log",
            "/%2e%2e/studies.log",
            "/study",
            "/study?name=",
            "/?name=s",
        ),
        *("/study/usual", "//evil/", f"/study?name={'x' * 2000}", "/index.html"),
    ],
)
def test_no_file_is_sent_and_no_other_page(ask, path):
    answer, text = ask(path)
    assert answer.status == 404
    assert text == "there is no such page: / has all studies\n"


@pytest.mark.parametrize("path", ["/study?name=a&name=b&x=1", "/study?name=%ff"])
def test_what_is_no_address_is_refused(ask, path):
    assert ask(path)[0].status == 400


def test_an_answer_is_for_this_page_alone_and_not_kept(ask):
    answer, text = twice(ask, "/study?name=usual")
    headers = answer.headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Python" not in headers["Server"]
    assert "connect-src &#39;self&#39;" in text
    assert text.count("sha256-") == 2
    assert '<noscript><meta http-equiv="refresh"' in text


def test_it_listens_on_this_machine_alone(usual, monkeypatch):
    monkeypatch.setattr(module.Renewal, "run", lambda self: None)
    with serving(ADDRESS, 0) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("port", [99999, -1])
def test_a_port_that_is_none_is_one_line(usual, port):
    with (
        pytest.raises(UserError, match=rf"port={port} of 127\.0\.0\.1 cannot be used"),
        serving(ADDRESS, port),
    ):
        pass


def test_a_port_in_use_is_one_line(usual):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        said = rf"port={port} of 127\.0\.0\.1 cannot be used \(.*\); choose another port"
        with pytest.raises(UserError, match=said), serving(ADDRESS, port):
            pass


@pytest.fixture(params=[(KeyboardInterrupt, 130), (Terminated, 143)], ids=["Ctrl-C", "SIGTERM"])
def interrupted(request, usual, monkeypatch):
    """Serving is interrupted once it has begun; the exit code that says by what."""
    interruption, code = request.param

    class Interrupted:
        def wait(self):
            raise interruption

    monkeypatch.setattr(module, "Forever", Interrupted)
    return code


def test_what_interrupts_it_ends_it_in_silence_with_its_exit_code(interrupted, capsys):
    assert call(["report", "live=true", "study=usual", f"storage={ADDRESS}", "port=0"]) == (
        interrupted
    )
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("study usual of journal:///studies.log")
    assert "/study?name=usual (open it in a browser; Ctrl-C ends it)" in said.out
    assert said.err == ""


def test_a_study_that_is_not_there_yet_is_said_at_the_start(interrupted, capsys):
    with pytest.raises(KeyboardInterrupt):
        module.serve(ADDRESS, "nigthly", 0)
    assert (
        "study=nigthly is not in journal:///studies.log; it has usual: the page waits for it"
        in (capsys.readouterr().out)
    )


def test_what_is_no_address_of_a_storage_is_refused_at_once():
    with pytest.raises(UserError, match="storage=nonsense cannot be read"):
        module.serve("nonsense", None, 0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"live": True, "to": "x"}, "to=x has no effect with live=true"),
        ({"live": True, "studies": "a,b"}, "studies=a,b has no effect with live=true"),
        ({"study": "usual", "port": 1}, "port=1 has an effect with live=true only"),
    ],
)
def test_settings_without_an_effect_are_refused(asked, said):
    with pytest.raises(UserError, match=said):
        entry.main(entry.Report(**asked))
