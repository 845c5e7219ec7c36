"""timm's networks and weights: of the hub, of the caches on disk, or of a folder as timm's `save_for_hf` writes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from backbones.registry import TIMM, by_name
from backbones.timm_adapter import check_model
from trick_transfer.engine.values import check_name, closest

from .architecture import Architecture
from .fetching import NAMES, cached, of_hub, of_url
from .hub_folder import checked

RESIZING = {"box": "area", "random": "bilinear"}  # timm's words for OpenCV's; "random" was one of several in training
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model")  # where timm looks for the weights, in its order
ABOVE = ("architecture", "num_classes", "label_names")  # what a folder says beside its `pretrained_cfg`
OF_HEAD = ("num_classes", "global_pool")  # options that a backbone does not have


def config(name: str) -> Any:
    """timm's `pretrained_cfg` of NAME[.tag], of the first tag if none is named. Raises ValueError for other names."""
    import timm  # takes seconds
    from timm.models import PretrainedCfg

    arch, _, tag = name.partition(".")
    check_model(arch)
    if tag:
        check_name(f"timm's {arch}", name, timm.list_pretrained(f"{arch}.*"))
    return timm.get_pretrained_cfg(name) or PretrainedCfg(architecture=arch)


def near(name: str) -> list[str]:
    """The source that a bare name may mean."""
    import timm

    return [TIMM + each for each in closest(name, timm.list_models())]


def network(name: str) -> Architecture:
    """timm/NAME[.tag] for weights from a file: those of the tag, else anyone's."""
    arch, _, tag = name.partition(".")
    return described(arch, config(name), {}) if tag else plain(arch, config(name), {})


def plain(arch: str, cfg: Any, options: Mapping[str, Any]) -> Architecture:
    """A network of which timm knows no weights."""
    import timm

    inner = {key: value for key, value in options.items() if key not in OF_HEAD}
    backbone = by_name(TIMM + arch) | ({"options": inner} if inner else {})

    def classifier(classes: int) -> nn.Module:
        return timm.create_model(arch, pretrained_cfg=cfg.to_dict(), **{**options, "num_classes": classes})

    return Architecture(backbone, classifier)


def described(arch: str, cfg: Any, options: Mapping[str, Any]) -> Architecture:
    """A network and what its `pretrained_cfg` says of the weights."""
    known = plain(arch, cfg, options)
    mean, std = ([255 * each for each in values] for values in (cfg.mean, cfg.std))
    licence = cfg.license or "unknown"
    resizing = RESIZING.get(cfg.interpolation, cfg.interpolation)
    classes = tuple(map(str, cfg.label_names or ()))
    return Architecture(known.backbone, known.classifier, mean, std, resizing, licence, classes)


def stored(cfg: Any) -> Path:
    """The file of timm's weights, fetched if no cache has it. Raises ValueError that says how else to get it."""
    name = f"timm/{cfg.architecture}" + (f".{cfg.tag}" if cfg.tag else "")
    if not cfg.url and not cfg.hf_hub_id:
        raise ValueError(f"timm has no weights of {name}; give a file of yours with --arch {name}")
    try:
        if cfg.hf_hub_id and not (cfg.url and cached(cfg.url).is_file()):
            return of_hub(cfg.hf_hub_id)
        return of_url(cfg.url)
    except Exception as error:  # of the network, in many ways
        raise ValueError(
            f"the weights of {name} are in no cache, and cannot be fetched ({type(error).__name__}); where there is a "
            f"network, get {' or '.join(NAMES)} of {cfg.hf_hub_id or cfg.url}, and give the file with --arch {name}"
        ) from error


def read(held: Any, cfg: Any, source: Path) -> dict[str, Tensor]:
    """A checkpoint as timm itself loads it: published ones may have another project's names. Raises ValueError."""
    import timm

    if not isinstance(held, Mapping):
        raise ValueError(f"{source} holds no weights, but {type(held).__name__}; delete it, and they are fetched again")
    while inner := next((held[key] for key in NESTED if isinstance(held.get(key), Mapping)), None):
        held = inner
    try:
        state = timm.models.clean_state_dict(held)
        given = {"pretrained_cfg": cfg.to_dict(), "pretrained_cfg_overlay": {"state_dict": state}}
        return timm.create_model(cfg.architecture, pretrained=True, **given).state_dict()
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"{source} does not fit {cfg.architecture}: {' '.join(str(error).split()):.300}") from error


def folder(stated: dict[str, Any], path: Path) -> tuple[Architecture, int]:
    """The network of a folder whose config.json holds `stated`, and its number of classes. Raises ValueError."""
    cfg, options = parsed(stated, path / "config.json")
    arch = cfg.architecture or ""
    check_model(arch)
    if cfg.input_size[0] != 3:
        raise ValueError(f"{path}: the network takes {cfg.input_size[0]} channels, photographs have 3")
    return described(arch, cfg, options), cfg.num_classes


def parsed(stated: dict[str, Any], path: Path) -> tuple[Any, dict[str, Any]]:
    """timm's `pretrained_cfg` and the options of the network. Raises ValueError for values of other types."""
    from timm.models import PretrainedCfg

    said = checked(dict[str, Any], stated.get("pretrained_cfg", {}), path)
    said = said | {key: stated[key] for key in ABOVE if key in stated}
    names = said.pop("label_names", None)  # timm declares one name
    cfg = checked(PretrainedCfg, said, path)
    cfg.label_names = names if isinstance(names, list) else None
    return cfg, checked(dict[str, Any], stated.get("model_args", {}), path)
