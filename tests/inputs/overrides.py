"""The training command's line itself: its grammar, its groups and options, and where it writes."""

from tests.inputs.case import case, loop, pipe, written
from tests.inputs.settings import QUICK


def train(words, says, spoil=None):
    return case([words], says, spoil=spoil, usual=QUICK)


CASES = [
    train("epoch=3", "epoch"),
    train("+bacth_size=3", "bacth_size"),
    train("++optimizer.lr.rate=3", "optimizer.lr"),
    train("~model", "model"),
    train("~nothing", "nothing"),
    train("model=nonsense", "model/nonsense"),
    train("model=../../conf/config", "Parent traversal"),
    train("model=/etc/passwd", "model"),
    train("optimizer=", "optimizer"),
    train("experiment=nonsense", "experiment/nonsense"),
    train("epochs=1,2", "epochs"),
    train("epochs", "epochs"),
    train("=3", "=3"),
    train("", "''"),
    train("epochs=[1", "epochs=[1"),
    train("epochs=${", "epochs"),
    train("epochs=${nothing}", "nothing"),
    train("epochs=${epochs}", "epochs"),
    train("name=${oc.env:NO_SUCH_VARIABLE}", "NO_SUCH_VARIABLE"),
    train("name=${no_such_resolver:1}", "no_such_resolver"),
    train("name='\n'", "name"),
    train("na\nme=1", "none of the grammar's"),
    train("name=\x1b[2J", "name"),
    train("\x1b]0;title\x07=1", "error"),
    train("name='ünï\udcff'", "name"),
    train(f"{'x' * 5000}=1", "xxx"),
    train("a." * 3000 + "a=1", "a.a"),
    train("epochs=" + "[" * 2000 + "]" * 2000, "epochs"),
    train("--nonsense", "--nonsense"),
    train("--cfg=everything", "everything"),
    train("--config-name=nonsense", "nonsense"),
    train("--config-dir=nowhere", "nowhere"),
    train("hydra.run.dir=taken", "taken: ", written("taken", "")),
    train("hydra.run.dir=taken/run", "taken", written("taken", "")),
    train("hydra.run.dir=around", "around", loop("around")),
    train("hydra.run.dir=tube", "tube", pipe("tube")),
    train("hydra.run.dir=/proc/run", "/proc/run"),
    train("hydra.run.dir=/dev/null/run", "/dev/null/run"),
    train(f"hydra.run.dir={'x' * 300}", "File name too long"),
    train("hydra/launcher=nonsense", "hydra/launcher"),
    train("hydra.nonsense=1", "hydra"),
    train("+hydra.callbacks.mine._target_=os.system", "os.system"),
    train("hydra.job_logging.version=2", "Unsupported version: 2"),
    train("hydra.mode=TWICE", "hydra.mode"),
]
