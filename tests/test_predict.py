"""tools/predict.py: what scoring predicts, on images of the user's own, with odd names and broken files among them."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_ade20k
from mmengine.registry import MODELS, init_default_scope
from PIL import Image
from pycocotools.coco import COCO
from safetensors.torch import save_file
from toy_voc import toy_card, write_voc

from trick_transfer.commands import predict
from trick_transfer.engine.pictures import GREEN
from trick_transfer.runs.own_images import images_of
from trick_transfer.runs.places import MODEL
from trick_transfer.runs.run import Run
from trick_transfer.runs.scoring import score

SMALL = {
    "model.backbone.depth": 18,
    "data.num_train": 20,
    "data.num_val": 11,
    "val_dataloader.num_batch_per_epoch": None,
}


def untrained(run):
    """Its weights as they start, where its own would be; a detector's scores are made to differ."""
    cfg = run.config()
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    state = {name: 30 * each if "fc_cls" in name else each for name, each in model.state_dict().items()}
    run.folder.mkdir(parents=True)
    save_file(state, run.folder / MODEL)
    return run


def predicted(monkeypatch, run, images, out="out"):
    """The exit code of the command, and what it wrote."""
    stage, name, *options = run.words()
    monkeypatch.setattr(sys, "argv", ["predict", stage, name, *map(str, images), *options, "--out", out])
    code = predict.main()
    return code, json.loads(Path(out, "predictions.json").read_text())


@pytest.fixture
def classifier(photos):
    return untrained(Run("classification", "resnet50d_mixup", "smoke", sets=SMALL, data_root=photos))


def test_labels_and_probabilities_are_those_of_scoring(monkeypatch, photos, classifier):
    score(classifier, classifier.folder / MODEL, Path("scored.npz"))
    code, found = predicted(monkeypatch, classifier, [photos / "val"])
    scored = np.load("scored.npz")
    best = [each["labels"] for each in found["images"]]
    assert code == 0 and [[each["category_id"] for each in some] for some in best] == scored["ranked"].tolist()
    probabilities = np.exp(scored["logits"][:, 0].astype(float) - scored["log_sum_exp"])
    assert [some[0]["probability"] for some in best] == pytest.approx(probabilities.tolist(), abs=1e-3)
    assert best[0][0]["name"] == f"class{scored['ranked'][0, 0]}"
    for each in found["images"]:
        with Image.open(Path("out", each["picture"])) as picture, Image.open(each["file_name"]) as image:
            assert picture.size == image.size == (each["width"], each["height"])


@pytest.mark.slow
def test_boxes_are_those_of_scoring_and_a_coco_json(monkeypatch, tmp_path):
    root = write_voc(tmp_path / "voc", images=2)
    run = Run("detection", "resnet50d_best", "smoke", data_root=root)
    toy_card(run.card.parent)
    score(untrained(run), run.folder / MODEL, Path("scored.npz"))
    images = sorted((root / "VOCdevkit/VOC2007/JPEGImages").glob("test*"))
    _, found = predicted(monkeypatch, run, images)
    scored, every = np.load("scored.npz"), COCO("out/predictions.json")  # scoring keeps the best boxes for display
    best = [sorted(every.imgToAnns[place], key=lambda each: each["score"])[-10:] for place in range(2)]
    boxes = [box for some in best for box in some]
    corners = np.array([each["bbox"] for each in boxes]) + [0, 0, -1, -1]
    corners[:, 2:] += corners[:, :2]
    assert [len(some) for some in best] == scored["shown_counts"].tolist()
    np.testing.assert_allclose(corners, scored["shown_boxes"], atol=0.1)
    assert [each["category_id"] for each in boxes] == scored["shown_labels"].tolist()
    strong = max(boxes, key=lambda each: each["score"])
    assert strong["score"] > 0.3, "else nothing is drawn"
    picture = np.asarray(Image.open(Path("out", found["images"][strong["image_id"]]["picture"]))).astype(int)
    assert (abs(picture - GREEN).sum(2) < 120).any()


@pytest.mark.slow
def test_masks_are_those_of_scoring_as_index_pngs(monkeypatch, tmp_path):
    root = toy_ade20k.make(tmp_path / "ade")
    run = Run("segmentation", "resnet50d_best", "smoke", data_root=root)
    toy_card(run.card.parent)
    score(untrained(run), run.folder / MODEL, Path("scored.npz"))
    _, found = predicted(monkeypatch, run, [root / "ADEChallengeData2016/images/validation"])
    scored = np.load("scored.npz")
    for place, name in enumerate(scored["shown_names"].tolist()):
        (entry,) = (each for each in found["images"] if Path(each["file_name"]).stem == name)
        with Image.open(Path("out", entry["mask"])) as mask:
            assert mask.mode == "P" and np.array_equal(np.asarray(mask), scored[f"shown_{place}"])
        assert Path("out", entry["picture"]).is_file()
    assert found["categories"][0] == {"id": 0, "name": "bear"}  # the first of `mini`


def test_broken_files_are_named_and_counted_and_odd_names_kept_apart(monkeypatch, photos, classifier, tmp_path, capsys):
    one, other = sorted(photos.glob("val/*/*.jpg"))[:2]
    folder = tmp_path / "mine"
    names = ["a.jpg", "A.png", "sub/a.jpg", "ä b\n.jpg", os.fsdecode(b"\xff.jpg"), "n" * 250 + ".jpg", ".hidden.jpg"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(one.read_bytes())
    (folder / "cut.jpg").write_bytes(one.read_bytes()[:-100])
    (folder / "text.png").write_text("no image")
    Image.new("RGB", (4000, 1)).save(folder / "thin.png")
    turned = Image.open(other).getexif()
    turned[0x112] = 6
    Image.open(other).save(folder / "no_suffix", "jpeg", exif=turned)
    code, found = predicted(monkeypatch, classifier, [folder, folder / "no_suffix", folder / "a.jpg"])
    said = capsys.readouterr()
    assert code == 1 and "8 pictures" in said.out and "2 images could not be read" in said.out
    assert f"{folder}/cut.jpg is a truncated JPEG" in said.err and f"{folder}/text.png is not an image" in said.err
    assert "skip_broken" not in said.err and "1 image would be turned by EXIF" in said.err
    assert {Path(each["file_name"]).name for each in found["unreadable"]} == {"cut.jpg", "text.png"}
    written = {path for path in Path("out/pictures").rglob("*") if path.is_file()}
    assert {Path("out", each["picture"]) for each in found["images"]} == written and len(written) == 8


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x/1.jpg", "x/1.png", "y/1.jpg"], ["1", "1.png", "1.jpg"]),  # files, whose folders are not kept
        (["x", "y"], ["1", "1.png", "1.jpg", "sub/1"]),
        (["y/1.jpg", "y/1.jpg"], ["1"]),
    ],
)
def test_each_image_has_a_name_of_its_own(tmp_path, names, expected):
    for name in ("x/1.jpg", "x/1.png", "y/1.jpg", "y/sub/1.jpg", "x/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(images_of(tmp_path / name for name in names).values()) == expected


def test_what_is_not_read_is_counted_and_named_and_where_nothing_is_no_folder_is_made(
    monkeypatch, photos, classifier, tmp_path, capsys
):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a.webp", "b.tif", ".hidden.bmp"):
        (folder / name).touch()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(ValueError, match=r"no image of 1 could be read; nothing is written"):
        predicted(monkeypatch, classifier, [folder])
    told = f"left out: 2 files not named .jpg, .jpeg or .png: {folder}/a.webp, {folder}/b.tif\n"
    assert not Path("out").exists() and told in capsys.readouterr().err
    shutil.copy(next(photos.glob("val/*/*.jpg")), folder)
    code, _ = predicted(monkeypatch, classifier, [folder])
    said = capsys.readouterr()
    assert code == 1 and "1 picture and" in said.out and "1 image could not be read" in said.out
    assert str(folder / "gone.jpg") in said.err


def test_a_stage_that_predicts_nothing_of_single_images_is_refused_with_those_that_do(monkeypatch):
    Image.new("RGB", (8, 8)).save("one.png")
    with pytest.raises(ValueError, match=r"^probing predicts .*; use classification, detection, segmentation$"):
        predicted(monkeypatch, Run("probing", "resnet50d_mixup", "smoke"), ["one.png"])
    assert not Path("out").exists()


def test_nothing_is_overwritten_and_missing_images_are_named_before_a_model_is_made(monkeypatch, tmp_path):
    Path("out").mkdir()
    Path("out/mine.txt").touch()
    run = Run("classification", "resnet50d_mixup", "smoke")
    Image.new("RGB", (8, 8)).save("one.png")
    for image, named in (("one.png", "--out out is there"), ("gone.png", "gone.png does not"), ("out", "no image")):
        with pytest.raises((ValueError, FileNotFoundError), match=named):
            predicted(monkeypatch, run, [image])
    assert [path.name for path in Path("out").iterdir()] == ["mine.txt"]
