"""Which data a run reads: whose they are, whether they are those it was begun with, and what of them it needs."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import toy_voc

from trick_transfer.commands import pipeline
from trick_transfer.engine.seeding import Spread
from trick_transfer.mini.build import STAMP, VERSION
from trick_transfer.runs.data import licence, look_at_data
from trick_transfer.runs.dry_run import dry_run
from trick_transfer.runs.places import MODEL
from trick_transfer.runs.resolve import resolve
from trick_transfer.runs.run import Run
from trick_transfer.runs.scoring import score
from trick_transfer.runs.state import state
from trick_transfer.runs.training import train

SETS = {"max_epochs": 0, "model.backbone.depth": 18, "data.num_train": 20, "data.num_val": 11}


@pytest.fixture
def own(photos, tmp_path):
    """A run on data of the user's own, in the smoke tier: nothing is trained, eight images are scored."""
    root = shutil.copytree(photos, tmp_path / "own", ignore=shutil.ignore_patterns("manifest*"))
    return Run("classification", "resnet50d_mixup", "smoke", sets=SETS, work_dir=tmp_path / "work", data_root=root)


def exchange(root):
    """Other pictures under the same names: each gets the one before its."""
    files = sorted(root.rglob("*.jpg"))
    contents = [path.read_bytes() for path in files]
    for path, content in zip(files, contents[-1:] + contents[:-1], strict=True):
        path.write_bytes(content)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_run_is_neither_done_nor_begun_again_with_other_data(own, tmp_path, in_place):
    result = train(own)
    assert train(own) == result  # done already
    other = own if in_place else replace(own, data_root=shutil.copytree(own.data_root, tmp_path / "other"))
    exchange(other.root)
    kept = {path: path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file()}
    for resume in (True, False):
        with pytest.raises(ValueError, match="data are others") as error:
            train(other, resume=resume)
        for named in (str(other.root), result.data_manifest[:12], str(own.folder), "--work-dir"):
            assert named in str(error.value)
    assert state(other, other.config()) == ("stale", ["data"])
    assert {path: path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file()} == kept
    elsewhere = train(replace(other, work_dir=tmp_path / "work2"))
    assert elsewhere.data_manifest != result.data_manifest


def test_a_copy_of_the_data_is_the_same_data(own, tmp_path):
    result = train(own)
    assert train(replace(own, data_root=shutil.copytree(own.data_root, tmp_path / "copy"))) == result


def test_own_data_have_no_known_licence_in_any_tier(own, tmp_path):
    assert licence(own) == "unknown" and train(own).licences["classification data"] == "unknown"
    mini = Run("detection", "resnet50d_best", data_root=toy_voc.write_voc(tmp_path / "mini" / "voc0712"))
    (tmp_path / "mini" / STAMP).write_text(f'{{"version": {VERSION}}}')
    assert licence(mini) == "unknown", "a stamp alone does not make them ours"


@pytest.mark.slow
def test_the_embedded_data_have_their_licence_wherever_they_are(home, tmp_path):
    (tmp_path / "link").symlink_to(home / "data/mini")
    for stage, folder in (("classification", "imagenet1k"), ("detection", "voc0712"), ("segmentation", "ade20k")):
        for root in (home / "data/mini" / folder, tmp_path / "link" / folder):
            assert licence(Run(stage, "resnet50d_best", data_root=root)) == "synthetic, see mini/LICENSES.md"


def paper(root, **options):
    """Detection of two kinds in the paper's tier."""
    names = {"metainfo": {"classes": toy_voc.CLASSES}}
    train_sets = {f"train_dataloader.dataset.dataset.datasets.{i}": names for i in (0, 1)}
    sets = {**train_sets, "val_dataloader.dataset": names, "model.roi_head.bbox_head.num_classes": 2}
    return Run("detection", "resnet50d_best", "paper", data_root=root, sets=sets, **options)


def test_own_data_pass_in_the_papers_tier_when_their_folder_is_named(tmp_path):
    remark = look_at_data(paper(toy_voc.write_voc(tmp_path / "voc")))
    assert "taken as data of your own, not voc0712: " in remark and "4, expected 5,011 (and 2 more)" in remark


def test_an_incomplete_data_set_in_its_default_folder_is_refused_with_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy_voc.write_voc(tmp_path / "data/voc0712")
    with pytest.raises(
        ValueError, match=r"data/voc0712 is not voc0712: .*4, expected 5,011.*prepare voc0712 .*--voc-root"
    ):
        look_at_data(paper(None))


def test_a_plan_says_that_few_images_are_not_the_data_set(tmp_path, monkeypatch, capsys):
    root = toy_voc.write_voc(tmp_path / "voc", [("cat", 0, (11, 11, 60, 50))])
    words = ["resnet50d_cosine", "--tier", "paper", "--plan", "--stages", "detection", "--voc-root", str(root)]
    monkeypatch.setattr("sys.argv", ["pipeline", *words])
    assert pipeline.main() == 0
    assert "expected 5,011" in capsys.readouterr().out


def test_own_annotations_are_looked_at_before_anything_is_trained(tmp_path):
    root = toy_voc.write_voc(tmp_path / "voc")
    for name in ("test_1", "test_3"):
        path = root / f"VOCdevkit/VOC2007/Annotations/{name}.xml"
        path.write_text(toy_voc.xml([("cat", 0, (50, 11, 11, 50))]))
    with pytest.raises(ValueError, match=r"test_1\.xml: .*\(50, 11, 11, 50\).*test_3\.xml: .*bad_boxes"):
        look_at_data(paper(root))


def test_scoring_needs_the_validation_images_alone(own, tmp_path):
    result = train(own)
    only = tmp_path / "only"
    shutil.copytree(own.data_root / "val", only / "val")
    found = score(replace(own, data_root=only), own.folder / MODEL)
    assert found["top1"] == pytest.approx(result.metrics["top1"]) and not (only / "manifest.sha256").exists()


@pytest.mark.parametrize(("there", "read"), [(3, [0, 1, 2]), (8, [*range(8)]), (11, [0, 1, 2, 4, 5, 6, 8, 9])])
def test_of_few_images_all_are_read_and_of_many_some_all_over(own, there, read):
    """The smoke tier wants two steps of four images."""
    limited = resolve(own, own.layers, own.batch()).cfg.val_dataloader
    assert "num_batch_per_epoch" not in limited and limited.dataset.images == 8
    dataset = Spread.__new__(Spread)
    dataset.dataset, dataset.images = np.arange(there), limited.dataset.images
    assert [dataset[place] for place in range(len(dataset))] == read
    dataset.dataset = {(place, 7): place for place in range(there)}  # what training's sampler asks for
    assert [dataset[place, 7] for place in range(len(dataset))] == read


def test_a_dry_run_names_a_folder_that_does_not_exist_and_reads_one_that_does(own):
    with pytest.raises(FileNotFoundError, match="/nonexistent/train does not exist"):
        dry_run(replace(own, data_root=own.data_root / "nonexistent"), 1, 1)
    for path in own.data_root.rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:-200])
    trained = replace(own, sets={key: value for key, value in SETS.items() if key != "max_epochs"})
    with pytest.raises(ValueError, match=r"\.jpg is a truncated JPEG"):
        dry_run(trained, 1, 1)
