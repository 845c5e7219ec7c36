"""--to timm: a folder for `timm.create_model("local-dir:FOLDER", pretrained=True)`, or for the Hugging Face hub."""

from math import floor, nextafter
from pathlib import Path

import torch

from backbones.naming import to_timm
from trick_transfer.engine.weights import load_strictly

from .trained import Trained, architecture, check_rgb

USE = """\
import timm

model = timm.create_model("local-dir:FOLDER", pretrained=True).eval()  # "hf-hub:USER/NAME" once it is uploaded
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
"""


@torch.no_grad()
def write(trained: Trained, folder: Path) -> str:
    """config.json and model.safetensors. Raises ValueError for a network that is not timm's."""
    import timm  # takes seconds
    from timm.models import save_for_hf

    name, options = architecture(trained.model.backbone)
    check_rgb(trained.card, "timm")
    if not timm.is_model(name):
        raise ValueError(f"timm has no {name}; use --to card, mm or onnx")
    theirs = timm.create_model(name, num_classes=trained.classes, **options)
    try:
        load_strictly(theirs, to_timm(trained.model, theirs.state_dict()), f"timm's {name}: {trained.card.name}")
    except ValueError as error:
        raise ValueError(
            f"{error}; if these layers come after the last map, a backbone leaves them out: use --to onnx or card"
        ) from error
    about = dict(license=trained.card.licences.get("weights", "unknown"), tag=trained.card.tier)
    source = dict.fromkeys(("origin_url", "paper_ids", "paper_name", "notes", "description"))  # of timm's own weights
    config = {"pretrained_cfg": source | about}
    save_for_hf(theirs, str(folder), config, safe_serialization=True, data_config=feeding(trained))
    again = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = trained.images()
    trained.check(f"timm's {name}", [again(images)], [trained.model.logits(images)])
    return USE


def feeding(trained: Trained) -> dict:
    """How images are fed, in timm's words."""
    card, px = trained.card, trained.size_px
    crop = px / trained.shorter_px
    if floor(px / crop) < trained.shorter_px:  # as timm computes the shorter edge
        crop = nextafter(crop, 0)
    mean, std = ([value / 255 for value in values] for values in (card.mean, card.std))
    size = dict(input_size=(3, px, px), crop_pct=crop, crop_mode="center")
    name = {"area": "box"}.get(card.interpolation, card.interpolation)
    return size | dict(mean=mean, std=std, interpolation=name)
