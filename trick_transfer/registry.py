"""The scope `trick_transfer`: the few parts that any stage's Config may name by string."""

from mmengine import registry as root
from mmengine.registry import Registry


def part_of(parent: Registry, *modules: str) -> Registry:
    """Our own child of one of mmengine's registries, filled by modules of `trick_transfer`."""
    locations = [f"trick_transfer.{module}" for module in modules]
    return Registry(parent.name, parent=parent, scope="trick_transfer", locations=locations)


HOOKS = part_of(
    root.HOOKS, "engine.seeding", "engine.checkpoint", "engine.progress", "engine.history", "runs.predictions"
)
MODEL_WRAPPERS = part_of(root.MODEL_WRAPPERS, "engine.distributed")
DATA_SAMPLERS = part_of(root.DATA_SAMPLERS, "engine.seeding")
DATASETS = part_of(root.DATASETS, "engine.seeding")
OPTIM_WRAPPERS = part_of(root.OPTIM_WRAPPERS, "engine.precision")
OPTIM_WRAPPER_CONSTRUCTORS = part_of(root.OPTIM_WRAPPER_CONSTRUCTORS, "engine.optimiser")
