"""Crops, flip, colour and normalisation of sec. 2.1 against colorsys, torchvision and NumPy."""

import colorsys

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from scipy.stats import circmean, circstd
from torchvision.transforms import functional as reference

from classification.augment import JITTERS, PixelScaler, center_crop, jitter, random_crop, scale_authors, scale_hsv
from classification.config import load

MEAN, STD = (123.68, 116.779, 103.939), (58.393, 57.12, 57.375)  # sec. 2.1, step 6
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)  # step 2


@pytest.fixture
def photo():
    return skimage.data.coffee()  # 400x600


@pytest.fixture
def regions(monkeypatch):
    """The regions that random_crop hands to OpenCV's resize."""
    found, resize = [], cv2.resize
    monkeypatch.setattr(cv2, "resize", lambda image, *words, **kw: found.append(image) or resize(image, *words, **kw))
    return found


def test_the_baseline_crops_and_jitters_as_section_2_1_says():
    options = load("resnet50_baseline").train_dataloader.dataset.dataset
    assert options.crop == dict(type="random", size_px=224, area=AREA, aspect=ASPECT)
    assert (options.flip, options.jitter) == (0.5, dict(form="hsv", low=0.6, high=1.4))
    assert load("resnet50_baseline").model.data_preprocessor.pca_std == 0.1
    assert load("resnet50_baseline").val_dataloader.dataset.crop == dict(type="center", size_px=224, shorter_px=256)


def test_a_random_crop_covers_8_to_100_percent_at_aspects_of_3_to_4_and_4_to_3(photo, regions):
    np.random.seed(0)
    for _ in range(1000):
        assert random_crop(photo, 8, AREA, ASPECT).shape == (8, 8, 3)
    shares = np.array([r.shape[0] * r.shape[1] / (400 * 600) for r in regions])
    aspects = np.array([r.shape[1] / r.shape[0] for r in regions])
    assert 0.079 < shares.min() < 0.1 and 0.75 < shares.max() <= 1
    assert 0.74 < aspects.min() < 0.77 and 1.3 < aspects.max() < 1.35  # a pixel's rounding


def test_the_aspect_and_the_area_are_uniform(photo, regions):
    np.random.seed(0)
    for _ in range(2000):  # areas that always fit
        random_crop(photo, 8, (0.08, 0.4), ASPECT)
    assert np.mean([r.shape[1] / r.shape[0] for r in regions]) == pytest.approx((3 / 4 + 4 / 3) / 2, abs=0.015)
    assert np.mean([r.shape[0] * r.shape[1] / 240_000 for r in regions]) == pytest.approx(0.24, abs=0.008)


def test_where_no_region_fits_the_middle_square_is_taken(regions):
    image = np.arange(300, dtype=np.uint8)[None, :, None].repeat(10, 0).repeat(3, 2)
    np.random.seed(0)
    random_crop(image, 8, (0.9, 1.0), ASPECT)
    np.testing.assert_array_equal(regions[0], image[:, 145:155])


@pytest.mark.parametrize("shape", [(375, 500), (500, 333), (256, 256), (100, 125)])
def test_validation_resizes_the_shorter_edge_to_256_and_crops_the_middle_224(photo, shape):
    image = cv2.resize(photo, shape[::-1], interpolation=cv2.INTER_AREA)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    expected = reference.center_crop(reference.resize(tensor, 256, antialias=False), 224).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(center_crop(image, 224, 256).astype(int), expected, atol=2)


@pytest.mark.parametrize("coefficients", [(1.0, 1.0, 1.0), (0.7, 1.0, 1.0), (1.3, 0.6, 1.4), (1.4, 1.4, 0.6)])
def test_the_papers_jitter_turns_hue_and_scales_saturation_and_value(photo, coefficients):
    pixels = photo[::40, ::40]
    found = scale_hsv(pixels, *coefficients).reshape(-1, 3)
    hue, saturation, value = coefficients
    expected = []
    for pixel in pixels.reshape(-1, 3):
        h, s, v = colorsys.rgb_to_hsv(*pixel / 255)
        turned = (h + (hue - 1) * 180 / 360) % 1
        expected.append(colorsys.hsv_to_rgb(turned, min(s * saturation, 1), min(v * value, 1)))
    difference = np.abs(found - 255 * np.array(expected))
    assert difference.max() <= 12 and difference.mean() < 2  # OpenCV's hue has steps of 2 degrees


@pytest.mark.parametrize("hue", [0.6, 0.9, 1.1, 1.4])
def test_hue_turns_as_torchvisions(photo, hue):
    expected = reference.adjust_hue(torch.from_numpy(photo).permute(2, 0, 1), (hue - 1) / 2)  # in turns
    difference = np.abs(scale_hsv(photo, hue, 1.0, 1.0).astype(int) - expected.permute(1, 2, 0).numpy())
    assert difference.mean() < 1 and difference.max() <= 12


@pytest.mark.parametrize("hue", [0.6, 0.8, 1.2, 1.4])
def test_reds_on_both_sides_of_hue_0_stay_together(hue):
    """A product would leave some at 0 and send the others, at nearly 360 degrees, to hue times that."""
    degrees = np.random.default_rng(0).normal(0, 10, 900)
    pixels = np.array([colorsys.hsv_to_rgb(each / 360 % 1, 0.8, 0.8) for each in degrees])
    found = scale_hsv((255 * pixels).round().astype(np.uint8).reshape(30, 30, 3), hue, 1.0, 1.0).reshape(-1, 3)
    turned = np.array([360 * colorsys.rgb_to_hsv(*pixel / 255)[0] for pixel in found])
    assert circstd(turned, 360) == pytest.approx(degrees.std(), rel=0.05)
    off = circmean(turned, 360) - degrees.mean() - (hue - 1) * 180
    assert abs((off + 180) % 360 - 180) < 1


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_the_authors_jitter_is_torchvisions_brightness_contrast_and_saturation(photo, factor):
    tensor = torch.from_numpy(photo).permute(2, 0, 1)
    steps = (reference.adjust_brightness, reference.adjust_contrast, reference.adjust_saturation)
    for place, adjust in enumerate(steps):
        found = scale_authors(photo, *(factor if i == place else 1.0 for i in range(3)))
        expected = adjust(tensor, factor).permute(1, 2, 0).numpy()
        np.testing.assert_allclose(found.astype(int), expected, atol=2)


def test_jitter_draws_three_coefficients_from_its_range(photo, monkeypatch):
    drawn = []
    monkeypatch.setitem(JITTERS, "spy", lambda image, *c: drawn.append(c))
    np.random.seed(0)
    for _ in range(1000):
        jitter(photo, "spy", 0.6, 1.4)
    drawn = np.array(drawn)
    assert drawn.shape == (1000, 3) and drawn.min() >= 0.6 and drawn.max() <= 1.4
    np.testing.assert_allclose(drawn.mean(0), 1.0, atol=0.03)
    np.testing.assert_allclose(drawn.std(0), 0.8 / 12**0.5, atol=0.01)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.1


def test_the_six_numbers_normalise(photo):
    scaler = PixelScaler(MEAN, STD, pca_std=0.1)
    images = np.stack([photo[:30, :40], photo[50:80, 50:90]])
    data = dict(inputs=torch.from_numpy(images), labels=torch.tensor([1, 2]))
    found = scaler(data, training=False)
    expected = (images.astype(np.float64) - MEAN) / STD
    np.testing.assert_allclose(found["inputs"].numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert found["inputs"].is_contiguous(memory_format=torch.channels_last)
    assert found["labels"].tolist() == [1, 2] and data["inputs"].dtype == torch.uint8


def test_pca_noise_is_alexnets_drawn_once_an_image_in_training_only():
    scaler = PixelScaler(MEAN, STD, pca_std=0.1)
    torch.manual_seed(0)
    images = torch.full((20000, 2, 1, 3), 100, dtype=torch.uint8)
    found = scaler.normalise(images, training=True).permute(0, 2, 3, 1).double().numpy() * STD + MEAN - 100
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-3)  # one draw for all pixels of an image
    # Krizhevsky et al. 2012, sec. 4.1: sum of a_i lambda_i p_i, with a_i ~ N(0, 0.1); their published lambda and p
    p = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    covariance = p @ np.diag((0.1 * np.array([55.46, 4.794, 1.148])) ** 2) @ p.T
    np.testing.assert_allclose(np.cov(found[:, 0, 0].T), covariance, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(found[:, 0, 0].mean(0), 0, atol=0.1)
