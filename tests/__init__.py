"""Tests, in processes that do not wait busily for others: there are as many as cores, or more."""

import os

# Read when numpy is first imported. On small matrices two threads take twice the processor's time
# of one, as each waits for the other; and every core has a process of tests already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Read when torch is first imported. By default its threads wait for each other without a pause,
# and on cores that they share with others that takes most of the time: three trainings at once,
# of two threads each on two cores, took 71 to 95 s, and 15 to 21 s so.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
