"""Ray Tune with ASHA, as its guide has it.

    python -m benchmarks.contenders.ray_tune ROOT TRIALS EPOCHS SEED

https://docs.ray.io/en/latest/tune/tutorials/tune_get_data_in_and_out.html
"""

import json
import sys
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from benchmarks.contenders.objective import train
from mnist_sweep.run.cores import cores


def main(root: str, trials: int, epochs: int, seed: int) -> None:
    """Search on all cores, a trial on each, and print the best parameters."""

    def trainable(config: dict[str, Any]) -> None:
        train(root, epochs, **config, report=lambda _, value: tune.report({"val_acc": value}))

    ray.init(num_cpus=cores(), include_dashboard=False, log_to_driver=False)
    space = {
        "width": tune.uniform(0.6, 1.0),
        "dropout": tune.uniform(0.0, 0.3),
        "batch_size": tune.choice([16, 32, 64, 128]),
        "lr": tune.loguniform(0.0005, 0.02),
    }
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="val_acc",
            mode="max",
            num_samples=trials,
            scheduler=ASHAScheduler(max_t=epochs, grace_period=1),
            search_alg=tune.search.basic_variant.BasicVariantGenerator(random_state=seed),
        ),
        run_config=tune.RunConfig(verbose=0),
    )
    print(json.dumps(tuner.fit().get_best_result().config))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
