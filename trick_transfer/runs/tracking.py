"""Where a run's scalars and pictures go besides its own folder: one of mmengine's backends."""

from importlib.util import find_spec

from .run import Run

TRACKERS = ("tensorboard", "mlflow", "wandb", "none")  # the first is the default
PROJECT = "trick-transfer"


def check_tracker(tracker: str) -> None:
    """Raise ValueError where its package is not installed."""
    if tracker != "none" and find_spec(tracker) is None:
        raise ValueError(f"--tracker {tracker} needs the package {tracker}: pip install 'trick-transfer[{tracker}]'")


def backends(tracker: str, run: Run) -> list[dict]:
    """mmengine's `vis_backends`: a local record always, and the tracker."""
    title = f"{run.name} {run.stage} seed{run.seed}"
    known: dict[str, list[dict]] = {
        "none": [],
        "tensorboard": [dict(type="TensorboardVisBackend")],  # tensorboard --logdir work
        "mlflow": [  # mlflow ui --backend-store-uri sqlite:///work/mlflow.db
            dict(
                type="MLflowVisBackend",
                exp_name=f"{PROJECT} {run.tier_file.name}",
                run_name=title,
                tracking_uri=f"sqlite:///{(run.work_dir / 'mlflow.db').absolute()}",
                artifact_location=str((run.work_dir / "mlflow").absolute()),
            )
        ],
        "wandb": [
            dict(type="WandbVisBackend", init_kwargs=dict(project=PROJECT, group=run.tier_file.name, name=title))
        ],
    }
    return [dict(type="LocalVisBackend"), *known[tracker]]
