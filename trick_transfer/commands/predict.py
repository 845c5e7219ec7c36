"""What a run's model finds in images of your own: pictures with boxes, masks or labels, and predictions.json.

tools/predict.py detection resnet50d_best photos/ one_more.jpg --out found/
tools/predict.py segmentation resnet50d_best --tier paper --checkpoint elsewhere.pth --out masks/ street.png

A folder's .jpg, .jpeg and .png are taken with those of its folders, and read as stored, as in training. Boxes are
COCO's, masks are index PNGs (0: the first class). Exit code: 0; 1 if an image could not be read, each is named; 2 if
nothing was done.
"""

from pathlib import Path

from trick_transfer.command_line import Parser
from trick_transfer.runs.command import add_run_options, run_of
from trick_transfer.runs.own_images import FILE_NAME, counted, predict
from trick_transfer.runs.places import MODEL


def main() -> int:
    """The command line."""
    parser = Parser(__doc__)
    add_run_options(parser)
    parser.add_argument("images", nargs="+", type=Path, help="image files, and folders of them")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for pictures, masks and predictions.json")
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    args = parser.parse_intermixed_args()
    run = run_of(args)
    images, unreadable = predict(run, args.checkpoint or run.folder / MODEL, args.images, args.out)
    made, failed = counted(images - unreadable, "picture"), counted(unreadable, "image")
    print(f"{args.out}: {made} and {FILE_NAME}; {failed} could not be read")
    return 1 if unreadable else 0
