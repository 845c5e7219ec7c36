"""Scenes: animals and clutter in a place; depth decides their size and which hides which; then light, lens and sensor.

`render(spec, index)` depends on (seed, split, index) alone, not on the process or the order of rendering.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from . import animals, coats, places
from .noise import sample
from .places import Camera
from .things import CLUTTER, Cutout, Thing, lay_out, stand, window

SEED = 0


@dataclass(frozen=True)
class Spec:
    """What a split's scenes share. `size` is (height, width); an animal's larger side is `animal_px`."""

    split: int
    pool: str
    size: tuple[int, int]
    count: tuple[int, int]
    animal_px: tuple[float, float]
    clutter: tuple[int, int]
    least_visible: float


@dataclass
class Scene:
    """image (H, W, 3) uint8 RGB, mask (H, W) uint8 class ids, instances (H, W) uint8 (i + 1 for animals[i])."""

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    animals: list[Thing] = field(default_factory=list)


def model_body(alpha: np.ndarray, light: float) -> np.ndarray:
    """(h, w) uint8 -> float32 shading near 1: a silhouette lit as if round, from the left (-1) to the right (1)."""
    size = max(alpha.shape)
    edge = size // 6 + 1
    round_ = cv2.GaussianBlur(np.pad(alpha, edge), (0, 0), max(1.0, size / 14))
    slope_y, slope_x = np.gradient(round_.astype(np.float32) / np.float32(255.0 * 7.0 / size))
    inner = (slice(edge, -edge),) * 2
    return np.clip(1.0 + 0.55 * slope_y[inner] - 0.45 * np.float32(light) * slope_x[inner], 0.4, 1.5).astype(np.float32)


def make_animal(kind: int, coat: int, size_px: float, spec: Spec, light: float, rng: np.random.Generator) -> Cutout:
    """One animal: a silhouette of the pool, posed, in a coat of the family `coat`, shaded."""
    stock = animals.load()
    alpha = animals.pose(stock.silhouettes[rng.choice(stock.of(spec.pool, kind))], size_px, rng)
    colour = coats.paint(coat, spec.pool.split("_")[0], alpha.shape, rng)
    return Cutout(alpha, colour * model_body(alpha, light)[..., None])


def shadow(things: list[Thing], camera: Camera, lean: float, rise: float) -> np.ndarray:
    """(H, W) float32 in [0, 1]: shadows, cast (leaning by `lean`, foreshortened by `rise`) and of contact."""
    dark = np.zeros((camera.height, camera.width), np.uint8)
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    for thing in things:
        h, w = thing.cutout.alpha.shape
        drop = 0.35 * h if thing.flying else 0.0
        up = (thing.foot + drop - 1 - y) / rise
        cast = sample(thing.cutout.alpha, x - thing.left - lean * up, h - 1 - up, wrap=False)
        reach = 1.0 - ((x - thing.left - w / 2) / (0.55 * w)) ** 2 - ((y - thing.foot - drop) / (0.06 * h + 2.0)) ** 2
        dark = np.maximum(dark, np.maximum(cast, np.clip(300 * reach, 0, 235).astype(np.uint8)))
    return cv2.GaussianBlur(dark, (5, 5), 1.4).astype(np.float32) / np.float32(255)


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 -> uint8: adds clouds' shade, the light's colour, the lens's blur and fall-off, the sensor's noise."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width] * (rng.uniform(60, 160) / width)
    shade = sample(places.wobble(int(rng.integers(8))), x + rng.integers(256), y + rng.integers(256)).astype(np.float32)
    warmth = rng.uniform(-0.12, 0.12)
    gain = rng.uniform(0.85, 1.3) * np.array((1 + warmth, 1.0, 1 - warmth))
    image = image * (0.75 + shade * np.float32(0.4 / 255))[..., None] * gain.astype(np.float32)
    radius2 = ((x / x.max() - 0.5) ** 2 + (y / y.max() - 0.5) ** 2).astype(np.float32)
    image = image * (1 - np.float32(rng.uniform(0, 0.5)) * radius2)[..., None]
    picture = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (5, 5), rng.uniform(0.2, 0.7))
    grain = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1.0, 7.0))
    return np.rint(np.clip(picture + grain, 0, 255)).astype(np.uint8)


def compose(camera: Camera, things: list[Thing], place: places.Place, lean: float, rise: float, depth: float) -> Scene:
    """Draw shadows first, then things from far to near; a thing sets the label where its alpha is above one half."""
    image = place.image * (1 - np.float32(depth) * shadow(things, camera, lean, rise) * place.ground())[..., None]
    scene = Scene(image, place.stuff.copy(), np.zeros_like(place.stuff))
    for thing in things:
        outer, inner = window(thing, camera.height, camera.width)
        alpha = thing.cutout.alpha[inner].astype(np.float32)[..., None] / np.float32(255)
        scene.image[outer] += (thing.cutout.colour[inner] - scene.image[outer]) * alpha
        solid = thing.cutout.alpha[inner] > 127
        scene.mask[outer][solid] = thing.kind + 1
        if thing.kind >= 0:
            scene.animals.append(thing)
        scene.instances[outer][solid] = len(scene.animals) if thing.kind >= 0 else 0
    return scene


def render(spec: Spec, index: int, kind: int | None = None, coat: int | None = None) -> Scene:
    """Scene number `index` of a split; `kind` and `coat` are the animals', None: drawn at random."""
    rng = np.random.Generator(np.random.PCG64([SEED, spec.split, index]))
    height, width = spec.size
    focal_px, horizon = width * rng.uniform(0.9, 1.3), height * rng.uniform(0.12, 0.5)
    camera = Camera(height, width, focal_px, horizon, eye_m=rng.uniform(0.9, 1.5))
    light = float(rng.uniform(-1, 1))
    candidates = []
    for _ in range(rng.integers(spec.count[0], spec.count[1] + 1)):
        shape = int(rng.integers(10)) if kind is None else kind
        family = coats.family_of(shape, rng) if coat is None else coat
        size_px = rng.uniform(*spec.animal_px)
        thing = stand(make_animal(shape, family, size_px, spec, light, rng), camera, rng.uniform(0.95, 1.6), rng)
        thing.kind, thing.coat = shape, family
        if shape == 1 and rng.random() < 0.5:  # half of the birds fly
            thing.top, thing.flying = max(0, thing.top - int(rng.uniform(0.1, 0.4) * height)), True
        candidates.append(thing)
    far_m = max(camera.focal_px * camera.eye_m / max(2.0, t.foot - camera.horizon) for t in candidates)
    for _ in range(rng.integers(spec.clutter[0], spec.clutter[1] + 1)):
        size = int(rng.uniform(0.25, 0.8) * rng.uniform(*spec.animal_px)) + 4
        cutout = CLUTTER[rng.integers(len(CLUTTER))](size, spec.pool, rng)
        candidates.append(stand(cutout, camera, rng.uniform(0.5, 1.2), rng))
    place = places.build(camera, spec.pool, far_m, rng)
    things = lay_out(candidates, camera, spec.least_visible)
    rise = float(rng.choice((-1, 1)) * rng.uniform(0.15, 0.45))
    scene = compose(camera, things, place, -light * 1.2, rise, rng.uniform(0.3, 0.7))
    scene.image = expose(scene.image, rng)
    return scene
