"""Top-1 and top-5 against a plain count over sorted logits."""

import numpy as np
import pytest
import torch

from classification.metric import TopK, topk


def reference(logits, labels, k):
    """Percent of images whose label is among the k greatest logits."""
    return 100 * np.mean([label in np.argsort(-z)[:k] for z, label in zip(logits, labels, strict=True)])


def score(logits, labels, size=None, **options):
    metric = TopK(**options)
    samples = [{"logits": torch.tensor(z), "label": torch.tensor(y)} for z, y in zip(logits, labels, strict=True)]
    metric.process(None, samples[:7])
    metric.process(None, samples[7:])
    return metric.evaluate(size or len(samples))


@pytest.fixture
def scored():
    random = np.random.default_rng(0)
    return random.normal(size=(40, 12)).astype(np.float32), random.integers(0, 12, 40)


def test_top_1_and_top_5_equal_a_plain_count(scored):
    found = score(*scored)
    assert found["top1"] == pytest.approx(reference(*scored, 1))
    assert found["top5"] == pytest.approx(reference(*scored, 5))
    assert found["samples_scored"] == 40


@pytest.mark.parametrize("k", [(1, 20), (1, 3), (0, 1, 5)])
def test_a_k_that_the_five_stored_classes_cannot_score_is_refused(k):
    with pytest.raises(ValueError, match=r"val_evaluator\.k .*1 and 5"):
        TopK(k)


def test_fewer_than_five_classes_have_a_top_5_of_100_percent():
    logits = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    assert score(logits, np.arange(9) % 3)["top5"] == 100


def test_the_outputs_score_the_same_again(scored, tmp_path):
    logits, labels = scored
    found = score(logits, labels, outputs=str(tmp_path / "outputs.npz"))
    with np.load(tmp_path / "outputs.npz") as table:
        assert topk(table["ranked"], table["labels"], 1) == found["top1"]
        assert topk(table["ranked"], table["labels"], 5) == found["top5"]
        np.testing.assert_array_equal(table["labels"], labels)
        np.testing.assert_allclose(table["logits"], -np.sort(-logits, axis=1)[:, :5])
        np.testing.assert_allclose(table["logits_mean"], logits.mean(1), rtol=1e-5, atol=1e-7)


def test_images_that_could_not_be_read_are_left_out_and_counted(scored):
    logits, labels = scored
    found = score(logits, np.where(np.arange(40) < 4, -1, labels))
    assert found["samples_scored"] == 36
    assert found["top1"] == pytest.approx(reference(logits[4:], labels[4:], 1))


def test_a_sampler_that_pads_counts_no_image_twice(scored):
    logits, labels = scored
    assert score(np.concatenate([logits, logits[:1]]), [*labels, labels[0]], size=40) == score(logits, labels)


def test_half_precision_logits_are_ranked():
    metric = TopK()
    metric.process(None, [{"logits": torch.tensor([0.0, 2.0, 1.0], dtype=torch.bfloat16), "label": 1}])
    assert metric.evaluate(1)["top1"] == 100
