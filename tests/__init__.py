"""Tests, in processes whose linear algebra has one thread, and so in as many as there are cores."""

import os

# Read when numpy is first imported. On small matrices two threads take twice the processor's time
# of one, as each waits for the other; and every core has a process of tests already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
