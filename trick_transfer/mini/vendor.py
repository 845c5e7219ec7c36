"""Made animals.npz, once, from the `animal-mnist` 0.4 wheel (MIT; see LICENSES.md); not needed to use it.

    pip download --no-deps animal-mnist==0.4 && unzip animal_mnist-0.4-*.whl
    python -m trick_transfer.mini.vendor animal_mnist/data/Animal_MNIST

Cleaning: threshold 96, (zebra: closing,) largest component, holes filled, 8 to 85 % of the frame, no exact or mirrored
duplicate. Near-duplicates (intersection over union above 0.9, mirrored too) are one group; groups are split, not
images.
"""

import gzip
import io
import pickle
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage, sparse

from .animals import ANIMALS_FILE, POOLS

ZEBRA = 9
THRESHOLD = 96
AREA = (0.08, 0.85)
NEAR_IOU = 0.9
SHARES = (0.54, 0.09, 0.18, 0.19)  # of each kind's silhouettes, in the order of POOLS


class NumpyUnpickler(pickle.Unpickler):
    """Unpickles names of numpy only."""

    def find_class(self, module: str, name: str) -> type:
        if module.split(".")[0] != "numpy":
            raise pickle.UnpicklingError(f"{module}.{name} is not numpy's")
        return super().find_class(module, name)


def read(path: Path) -> np.ndarray:
    """The array in a gzipped pickle."""
    return np.asarray(NumpyUnpickler(io.BytesIO(gzip.decompress(path.read_bytes()))).load())


def clean(gray: np.ndarray, closing: bool) -> np.ndarray:
    """(28, 28) uint8 -> (28, 28) bool: the largest component, filled."""
    mask = np.pad(gray > THRESHOLD, 3)
    if closing:  # a zebra's dark stripes cut it to pieces
        mask = ndimage.binary_closing(mask, np.ones((5, 5)))
    parts, count = ndimage.label(mask)
    if count > 1:
        mask = parts == 1 + np.argmax(ndimage.sum_labels(mask, parts, range(1, count + 1)))
    return ndimage.binary_fill_holes(mask)[3:-3, 3:-3]


def keep_distinct(masks: np.ndarray) -> np.ndarray:
    """Indices of the masks that are not empty, full, or a copy or mirror image of an earlier one."""
    area = masks.mean((1, 2))
    seen: dict[bytes, int] = {}
    for i in np.flatnonzero((area > AREA[0]) & (area < AREA[1])):
        seen.setdefault(min(masks[i].tobytes(), masks[i, :, ::-1].tobytes()), int(i))
    return np.array(sorted(seen.values()))


def group_near_duplicates(masks: np.ndarray) -> np.ndarray:
    """(N, 28, 28) bool -> (N,) group ids: connected components of "overlaps more than NEAR_IOU, mirrored or not"."""
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    area = flat.sum(1)
    near = np.zeros((len(masks), len(masks)), bool)
    for other in (flat, masks[:, :, ::-1].reshape(len(masks), -1).astype(np.float32)):
        common = flat @ other.T
        near |= common > NEAR_IOU * (area[:, None] + area[None] - common)
    return sparse.csgraph.connected_components(sparse.csr_matrix(near), directed=False)[1]


def split(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,) pool ids: each group, largest first, then at random, goes to the pool that lacks most of its share."""
    pools = np.zeros(len(labels), np.uint8)
    have = np.zeros((10, len(POOLS)))
    ids, sizes = np.unique(groups, return_counts=True)
    for group in ids[np.lexsort((rng.random(len(ids)), -sizes))]:
        members = groups == group
        kind = np.bincount(labels[members]).argmax()
        lack = np.array(SHARES) - have[kind] / max(1, have[kind].sum())
        pool = int(np.argmax(lack)) if members.sum() < 20 else 0
        pools[members] = pool
        have[kind, pool] += members.sum()
    return pools


def main(folder: Path) -> None:
    """Write animals.npz from the wheel's two files."""
    grays, labels = read(folder / "animal_data_version_3.gz"), read(folder / "animal_label_version_3.gz")
    masks = np.stack([clean(g, label == ZEBRA) for g, label in zip(grays, labels, strict=True)])
    kept = keep_distinct(masks)
    masks, labels = masks[kept], labels[kept]
    groups = group_near_duplicates(masks)
    pools = split(labels, groups, np.random.Generator(np.random.PCG64(0)))
    packed = np.packbits(masks.reshape(len(masks), -1), axis=1)
    np.savez_compressed(
        ANIMALS_FILE, silhouettes=packed, labels=labels.astype(np.uint8), groups=groups.astype(np.int16), pools=pools
    )
    sizes = np.bincount(groups)
    print(len(masks), np.bincount(labels), "groups", len(sizes), "largest", np.sort(sizes)[-8:])
    print(np.array([np.bincount(pools[labels == k], minlength=4) for k in range(10)]).T)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
