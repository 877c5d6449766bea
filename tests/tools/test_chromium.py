"""Pictures of pages."""

import pytest
from PIL import Image

from tests.browser import needs_browser
from tools import chromium
from tools.chromium import ChromiumError, photograph


@needs_browser
def test_a_picture_is_as_large_as_asked_and_in_the_readers_scheme(tmp_path):
    page, png = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(
        "<style>body { background: #ffffff; } @media (prefers-color-scheme: dark) "
        "{ body { background: #000000; } }</style>"
    )
    found = []
    for dark in (False, True):
        photograph(page, png, 600, 300, dark, scale=2)
        with Image.open(png) as image:
            found.append((image.size, image.convert("RGB").getpixel((5, 5))))
    assert found == [((1200, 600), (255, 255, 255)), ((1200, 600), (0, 0, 0))]


def test_no_chromium_is_one_line_that_names_what_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("CHROME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChromiumError, match=r"none of chromium, .* is on PATH: install it, or set"):
        chromium.browser()


def test_a_browser_that_is_named_and_is_none_is_echoed(monkeypatch):
    monkeypatch.setenv("CHROME", "/nowhere/chrome")
    with pytest.raises(ChromiumError, match="CHROME=/nowhere/chrome is no program"):
        chromium.browser()


def test_what_chromium_says_is_said_where_it_takes_no_picture(monkeypatch, tmp_path):
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\necho no display >&2\nexit 4\n")
    program.chmod(0o755)
    monkeypatch.setenv("CHROME", str(program))
    with pytest.raises(ChromiumError, match="took no picture: no display"):
        photograph(tmp_path / "page.html", tmp_path / "page.png", 10, 10)
