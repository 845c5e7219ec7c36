"""The scope `trick_transfer`: the few parts that any stage's Config may name by string."""

from mmengine import registry as root
from mmengine.registry import Registry


def part_of(scope: str, parent: Registry, *modules: str) -> Registry:
    """Our own child of one of mmengine's registries, filled by modules of the package `scope`."""
    return Registry(parent.name, parent=parent, scope=scope, locations=[f"{scope}.{module}" for module in modules])


OURS = "trick_transfer"
SOURCES = (
    *("engine.seeding", "engine.checkpoint", "engine.progress", "engine.history", "engine.held_out"),
    *("runs.compiling", "runs.predictions"),
)
HOOKS = part_of(OURS, root.HOOKS, *SOURCES)
MODEL_WRAPPERS = part_of(OURS, root.MODEL_WRAPPERS, "engine.optimiser")
DATA_SAMPLERS = part_of(OURS, root.DATA_SAMPLERS, "engine.seeding")
DATASETS = part_of(OURS, root.DATASETS, "engine.seeding", "engine.held_out")
OPTIM_WRAPPERS = part_of(OURS, root.OPTIM_WRAPPERS, "engine.precision")
OPTIM_WRAPPER_CONSTRUCTORS = part_of(OURS, root.OPTIM_WRAPPER_CONSTRUCTORS, "engine.optimiser")
