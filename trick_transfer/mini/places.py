"""Places: a ground plane, walls or a skyline, and the sky, ray-cast into a pinhole camera's picture."""

from functools import cache
from typing import NamedTuple

import numpy as np

from .noise import fractal, sample, to_uint8
from .surfaces import MATERIALS, VARIANTS, mean_colour, surface

Array = np.ndarray
GROUNDS = ("grass", "gravel", "sand", "wood", "tile", "brick")
PATCHES = ("water", "sand", "gravel", "grass", "tile", "wood")
WALLS = ("brick", "wood", "plaster", "hedge", "tile")
TILE_M = dict(
    sky=14.0, grass=4.0, gravel=4.5, sand=5.0, water=4.0, wood=3.0, tile=3.0, brick=3.2, plaster=4.0, hedge=2.5
)
STUFF_ID = {material: i for i, material in enumerate(MATERIALS, 11)}  # 0 other, 1 to 10 the animals
CLOUDS_M = 6.0  # the height of the sky, a ceiling


class Camera(NamedTuple):
    """A pinhole that looks level: `focal_px`, the horizon's row, and the eye's height over the ground."""

    height: int
    width: int
    focal_px: float
    horizon: float
    eye_m: float


@cache
def wobble(seed: int) -> np.ndarray:
    """A smooth (256, 256) uint8 field for ragged outlines; pools may share outlines, as they are no texture."""
    return to_uint8(fractal(np.random.Generator(np.random.PCG64([7, seed])), 1.7, 1))


def texture(material: str, pool: str, x_m: Array, y_m: Array, texel_px: Array, rng: np.random.Generator) -> Array:
    """(H, W, 3) float32: a material at coordinates in metres; fades to its mean colour where texels are too small."""
    variant = int(rng.integers(VARIANTS[pool]))
    tile = surface(material, pool, variant)
    texels = 256 / TILE_M[material] * rng.uniform(0.8, 1.3)
    shift = rng.integers(0, 256, 2)
    near = sample(tile, x_m * texels + shift[0], y_m * texels + shift[1]).astype(np.float32)
    fade = np.clip(texels * texel_px / 12.0 - 0.2, 0.0, 0.9).astype(np.float32)[..., None]
    return near + (mean_colour(material, pool, variant) - near) * fade


class Place:
    """The picture so far and the depth of each pixel; surfaces are added in any order, and the nearest is visible."""

    def __init__(self, camera: Camera, pool: str, rng: np.random.Generator) -> None:
        self.camera, self.pool, self.rng = camera, pool, rng
        # x/z of each column, and y/z (down) of each row
        self.dx = (np.arange(camera.width)[None] + 0.5 - camera.width / 2) / camera.focal_px
        self.dy = (np.arange(camera.height)[:, None] + 0.5 - camera.horizon) / camera.focal_px
        shape = (camera.height, camera.width)
        self.depth: np.ndarray = np.full(shape, 1e6)
        self.image: np.ndarray = np.zeros((*shape, 3), np.float32)  # RGB
        self.stuff = np.zeros(shape, np.uint8)
        self.haze = np.array((205.0, 215.0, 225.0), np.float32) * np.float32(rng.uniform(0.8, 1.05))
        self.haze_m = rng.uniform(50.0, 200.0)

    def ground(self) -> np.ndarray:
        """(H, W) bool: where shadows fall."""
        return (self.depth < 1e5) & (self.camera.eye_m - self.dy * self.depth < 0.02)

    def add(
        self, where: Array, depth: Array, material: str, x_m: Array, y_m: Array, slant: Array, light: Array | float
    ) -> None:
        """Draw a surface where it is nearest. `slant`: a pixel's footprint relative to a head-on view."""
        where = where & (depth < self.depth)
        if not where.any():
            return
        depth, x_m, y_m = (np.broadcast_to(a, where.shape) for a in (depth, x_m, y_m))
        colour = texture(material, self.pool, x_m, y_m, depth * slant / self.camera.focal_px, self.rng)
        colour = colour * np.broadcast_to(np.asarray(light, np.float32), where.shape)[..., None]
        mist = np.clip(depth / self.haze_m, 0, 0.7).astype(np.float32)[..., None]
        colour = colour + (self.haze - colour) * mist
        self.image = np.where(where[..., None], colour, self.image)
        self.stuff[where] = STUFF_ID[material]
        self.depth = np.where(where, depth, self.depth)

    def add_sky(self) -> None:
        """Add clouds on a high ceiling, paler towards the horizon."""
        up = np.maximum(-self.dy, 0.02)
        z = CLOUDS_M / up + 0 * self.dx
        self.add(-self.dy + 0 * self.dx > -0.02, z * 0 + 9e5, "sky", self.dx * z, z, 0 * z, 1.0)
        self.depth[:] = 1e6
        pale = (0.7 / (1.0 + 12.0 * up) + 0 * self.dx).astype(np.float32)[..., None]
        self.image = self.image + (self.haze - self.image) * pale

    def add_ground(self) -> None:
        """Add the plane under the eye; half of the time with a path or a pond of another material in it."""
        below = self.dy + 0 * self.dx > 1e-3
        z = self.camera.eye_m / np.maximum(self.dy, 1e-3) + 0 * self.dx
        x, slant = self.dx * z, z / self.camera.eye_m
        turn = self.rng.uniform(-0.6, 0.6)
        along, across = z + turn * x, x - turn * z
        ground = str(self.rng.choice(GROUNDS))
        self.add(below, z, ground, across, along, slant, 1.0)
        if self.rng.random() < 0.5:
            patch = str(self.rng.choice([m for m in PATCHES if m != ground]))
            ragged = sample(wobble(int(self.rng.integers(8))), across * 40, along * 40) / 255.0 - 0.5
            centre = self.rng.uniform(-1.5, 1.5)
            inside = np.abs(across + self.rng.uniform(-0.3, 0.3) * along - centre + ragged) < self.rng.uniform(0.4, 1.0)
            if patch == "water":
                depth = self.rng.uniform(2.5, 6.0)
                inside = ((x - centre) / 1.8) ** 2 + ((z - depth) / 1.6) ** 2 + 2.5 * ragged < 1.0
            self.add(below & inside, z * 0.999, patch, across, along, slant, 1.0)

    def add_wall(self, distance_m: float, turn: float, material: str, top_m: np.ndarray | float, light: float) -> None:
        """Add an upright plane that crosses the view's axis at `distance_m`; `turn` is its slope dz/dx."""
        facing = np.maximum(1.0 - turn * self.dx, 1e-3)
        z = distance_m / facing + 0 * self.dy
        up = self.camera.eye_m - self.dy * z
        seen = (1.0 - turn * self.dx > 0.02) & (up > 0) & (up < top_m)
        stretch = float(np.sqrt(1.0 + turn * turn))
        dim = light * (1.0 - 0.4 / (1.0 + np.maximum(up, 0) / 0.12))  # the corner with the ground is dark
        self.add(seen, z, material, self.dx * z * stretch, up, 1.0 / facing, dim)


def build(camera: Camera, pool: str, far_m: float, rng: np.random.Generator) -> Place:
    """A random place: open country, a wall, or a corner of two walls; only the ground is nearer than `far_m`."""
    place = Place(camera, pool, rng)
    place.add_sky()
    place.add_ground()
    half = camera.width / 2 / camera.focal_px
    style = rng.choice(("open", "wall", "corner"), p=(0.4, 0.35, 0.25))
    if style == "open":
        most_m = rng.uniform(1.0, 5.0)
        x = np.arange(camera.width) * rng.uniform(0.4, 1.2) + rng.integers(256)
        row = np.full(camera.width, float(rng.integers(256)))
        tree_line = sample(wobble(int(rng.integers(8))), x[None], row[None]) / 255.0
        place.add_wall(rng.uniform(10, 30), 0.0, "hedge", most_m * (0.3 + tree_line), rng.uniform(0.6, 1.0))
    elif style == "wall":
        turn = rng.uniform(-0.7, 0.7)
        top = rng.choice((rng.uniform(0.8, 2.0), 99.0))
        distance = far_m * rng.uniform(1.1, 1.8) * (1 + abs(turn) * half)
        place.add_wall(distance, turn, str(rng.choice(WALLS)), top, rng.uniform(0.6, 1.0))
    else:
        material, lights = str(rng.choice(WALLS)), rng.uniform(0.5, 1.0, 2)
        edge = rng.uniform(-0.6, 0.6) * half
        for turn, light in zip((rng.uniform(0.4, 1.2), -rng.uniform(0.4, 1.2)), lights, strict=True):
            # Both walls pass through the corner at the ray `edge`.
            distance = far_m * (1.3 + 1.2 * half) * (1.0 - turn * edge)
            place.add_wall(distance, -turn, material, 99.0, light)
    return place
