"""stub"""
from hydra.experimental.callback import Callback
class DryRun(Callback):
    pass
