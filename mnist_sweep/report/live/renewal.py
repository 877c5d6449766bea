"""Renewing the pages that are looked at: one thread, so that a sweep keeps its cores."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mnist_sweep.errors import UserError
from mnist_sweep.passwords import said_of
from mnist_sweep.report.live import pages
from mnist_sweep.report.live.pages import Shown
from mnist_sweep.report.live.source import Source
from mnist_sweep.studies.listing import Monitors
from mnist_sweep.sweep.read_only import answering
from mnist_sweep.text import shortened

LOOK = 2.0  # seconds between two looks at a study that is quickly read
# As many times as long as the processor had to make a page, or to look at its study, pass until the
# next: a sweep's workers have the rest.
REST = 2
LOOKED_AT = 40.0  # seconds after which nobody looks at a page any more: it is asked for more often
FORGOTTEN = 600.0  # seconds after which a page that nobody looks at is dropped


@dataclass
class _Page:
    """A page that somebody has asked for. Times are the renewal's clock's."""

    asked: float
    due: float  # to be looked at
    makes: float = 0.0  # when it may be made again
    shown: Shown | None = None  # None until it is first made
    whole: bool = False  # whether that is what the study, or the list, looks like


class Renewal:
    """A maker of the pages of one storage that somebody looks at, each again when it has changed.

    It looks every few seconds, and takes at most a third of a core: what takes a minute has two
    minutes of rest.
    """

    def __init__(
        self,
        address: str,
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
    ) -> None:
        """`cost`: the processor time that the thread has taken, in seconds."""
        self.address, self.clock, self.cost = address, clock, cost
        self.source = Source(address)
        self.owners: Monitors = {}
        self.pages: dict[str | None, _Page] = {}
        self.lock = threading.Lock()
        self.asked, self.ended = threading.Event(), threading.Event()

    def shown(self, name: str | None) -> Shown:
        """Return a study's page as it is now, or the list's; whoever asks is looking at it."""
        now = self.clock()
        with self.lock:
            page = self.pages.setdefault(name, _Page(now, now))
            page.asked = now
            shown = page.shown
        self.asked.set()
        return shown or pages.message_page(
            name, "Reading the studies", "This page is being made. It appears here by itself."
        )

    def run(self) -> None:
        """Renew pages until it is closed."""
        while not self.ended.is_set():
            self.asked.clear()
            if not self.step():
                self.asked.wait(LOOK / 4)

    def close(self) -> None:
        """Have `run` return after the page that it makes."""
        self.ended.set()
        self.asked.set()

    def step(self) -> bool:
        """Make the page that is due longest; return whether one was."""
        now = self.clock()
        with self.lock:
            self.pages = {n: p for n, p in self.pages.items() if now - p.asked < FORGOTTEN}
            due = {n: p for n, p in self.pages.items() if p.due <= now < p.asked + LOOKED_AT}
        if not due:
            return False
        name = min(due, key=lambda each: due[each].due)
        self._renew(name, due[name])
        return True

    def _renew(self, name: str | None, page: _Page) -> None:
        began = self.cost()
        before = page.shown if page.whole else None
        try:
            with answering(self.address):
                shown, whole = self._made(name, page, before), True
        except Exception as error:  # of storages, and of values that other programs wrote
            self.source.forget()
            shown, whole = self._troubled(name, before, error), page.whole
        rest = max(LOOK, REST * (self.cost() - began))
        made = before is None or shown.version != before.version
        if made and name is not None:  # to look at the study again costs less
            page.makes = self.clock() + rest
            rest = LOOK
        page.shown, page.whole, page.due = shown, whole, self.clock() + rest

    def _made(self, name: str | None, page: _Page, before: Shown | None) -> Shown:
        if name is None:
            return pages.list_page(self.source, self.owners)
        wait = page.makes - self.clock()
        due = datetime.now() + timedelta(seconds=wait) if wait > 0 else None
        return pages.study_page(name, self.source, self.owners, before, due)

    def _troubled(self, name: str | None, before: Shown | None, error: Exception) -> Shown:
        """Return what there is to see where a page cannot be made: the last one, and why."""
        said = said_of(self.address, self._said(error))
        if before is not None:
            return replace(before, line=f"{before.age}. Since then: {said}", trouble=True)
        title = "Nothing to show yet" if isinstance(error, UserError) else "This cannot be shown"
        return pages.message_page(name, title, said)

    @staticmethod
    def _said(error: Exception) -> str:
        if isinstance(error, UserError):
            return f"{shortened(error)}. This page waits for it."
        return shortened(f"{type(error).__name__}: {error}")
