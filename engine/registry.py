"""The scope `engine`: the few parts that any stage's Config may name by string."""

from mmengine.registry import DATA_SAMPLERS as ROOT_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODEL_WRAPPERS as ROOT_WRAPPERS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import Registry

HOOKS = Registry(
    "hook",
    parent=ROOT_HOOKS,
    scope="engine",
    locations=["engine.seeding", "engine.checkpoint", "engine.progress", "engine.history", "engine.predictions"],
)
MODEL_WRAPPERS = Registry("model_wrapper", parent=ROOT_WRAPPERS, scope="engine", locations=["engine.distributed"])
DATA_SAMPLERS = Registry("data sampler", parent=ROOT_SAMPLERS, scope="engine", locations=["engine.seeding"])
DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope="engine", locations=["engine.seeding"])
OPTIM_WRAPPERS = Registry("optim_wrapper", parent=ROOT_OPTIM_WRAPPERS, scope="engine", locations=["engine.precision"])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor", parent=ROOT_CONSTRUCTORS, scope="engine", locations=["engine.optimiser"]
)
