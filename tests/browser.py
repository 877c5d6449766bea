"""A browser without a screen, for pages: what only one can tell."""

import re
import subprocess

import pytest

from tools.chromium import FLAGS, NAMES, find

BROWSER = find()

needs_browser = pytest.mark.skipif(
    BROWSER is None, reason=f"there is no browser here: none of {', '.join(NAMES)}"
)


def browse(page, *arguments, width=1200, fragment=""):
    """Open a page, run its scripts, return what came of it; fail for what its console says."""
    line = [BROWSER, *FLAGS, f"--user-data-dir={page.resolve().with_name('profile')}"]
    line += ["--enable-logging=stderr", "--v=0", f"--window-size={width},1600"]
    done = subprocess.run(
        [*line, *arguments, page.resolve().as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = re.findall(r"CONSOLE.*", done.stderr)
    assert not said, said  # in words: pytest explains the asserts of tests alone
    return done.stdout


def told(page, script):
    """The page's elements after a script of the test's, which the page's policy would not run."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    other = page.with_name("told.html")
    other.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return browse(other, "--dump-dom")
