"""--to onnx: model.onnx with any batch and size, by torch's exporter without TorchScript, checked in onnxruntime."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from trick_transfer.engine.files import brief

from .trained import Trained

NEEDED = ("onnx", "onnxscript", "onnxruntime")
USE = """\
import onnxruntime

session = onnxruntime.InferenceSession("FOLDER/model.onnx")
{names} = session.run(None, {{"images": images}})  # normalised images, float32 (N, 3, H, W)
"""


@torch.no_grad()
def write(trained: Trained, folder: Path) -> str:
    """model.onnx: images -> logits, or without a head the maps. Raises ValueError for what torch cannot export."""
    if missing := [each for each in NEEDED if not find_spec(each)]:
        raise ValueError(f"--to onnx needs {', '.join(missing)}: pip install 'trick-transfer[onnx]'")
    backbone = trained.model.backbone
    net, names = (
        (trained.model, ["logits"]) if trained.classes else (backbone, [f"stride{s}" for s in backbone.strides])
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about its own
            program = torch.onnx.export(
                net, (trained.images(),), dynamo=True, verbose=False, input_names=["images"], output_names=names,
                dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
            )  # fmt: skip
    except Exception as error:  # torch has a dozen kinds
        raise ValueError(f"torch cannot export {trained.card.name} for any size: {brief(error)}") from error
    assert program
    program.save(folder / "model.onnx", external_data=False)
    check(trained, net, folder / "model.onnx")
    return USE.format(names=", ".join(names) + "," * (len(names) == 1))


def check(trained: Trained, net: torch.nn.Module, path: Path) -> None:
    """Raise ValueError unless onnxruntime computes what our network does, in batches and sizes of two kinds."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    px = trained.size_px
    for images in (trained.images(), trained.images(px + 33, px + 16, count=1)):
        own = net(images)
        found = [torch.from_numpy(each) for each in session.run(None, {"images": images.numpy()})]
        trained.check("onnxruntime", found, own if isinstance(own, tuple) else [own])
