"""Bits per dimension of color images by means that are no models: usage: baselines.py DATA [LIMIT]

DATA is an .npz with the arrays train and test, [n, 3, height, width] of bytes, or a folder with
train.tar.gz and test.tar.gz of image files (needs Pillow). Images of the test split (the first LIMIT) are
measured: deflate of the pixels; PNG's five filters, the best for each row by the least sum of absolute
values, then deflate; a histogram for each entry, counted on train plus one of each value; and LZMA over
train and test together, less LZMA of train.
"""

import io
import lzma
import sys
import tarfile
import zlib

import numpy as np


def read(data):
    if data.endswith(".npz"):
        arrays = np.load(data)
        return [arrays[split].transpose(0, 2, 3, 1) for split in ("train", "test")]
    from PIL import Image

    def images(split):
        with tarfile.open(f"{data}/{split}.tar.gz") as tar:
            files = (tar.extractfile(entry) for entry in tar if entry.isfile())
            return np.stack([np.asarray(Image.open(io.BytesIO(file.read()))) for file in files])

    return [images(split) for split in ("train", "test")]


def filtered(image):
    height, width, channels = image.shape
    rows = image.reshape(height, -1).astype(np.int16)
    left, above = np.zeros_like(rows), np.zeros_like(rows)
    left[:, channels:], above[1:] = rows[:, :-channels], rows[:-1]
    corner = np.zeros_like(rows)
    corner[1:, channels:] = rows[:-1, :-channels]
    guess = left + above - corner
    far = [abs(guess - value) for value in (left, above, corner)]
    paeth = np.where(
        (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner)
    )
    guesses = [np.zeros_like(rows), left, above, (left + above) // 2, paeth]
    rest = np.stack([(rows - of) & 255 for of in guesses])
    cost = np.minimum(rest, 256 - rest).sum(2)
    best = cost.argmin(0)
    chosen = rest[best, np.arange(height)]
    return np.concatenate([best[:, None], chosen], 1).astype(np.uint8).tobytes()


def main(data, limit):
    train, test = read(data)
    test = test[:limit]
    size = test[0].size

    def told(name, bits):
        bits = np.asarray(bits, float)
        error = f" ± {bits.std(ddof=1) / len(bits) ** 0.5 / size:.3f}" if len(bits) > 1 else ""
        print(f"{name}: {bits.mean() / size:.3f}{error} bits/dim")

    print(f"{len(train)} images of train, {len(test)} of test, {test.shape[1:]}")
    deflate = lambda of: len(zlib.compress(of, 9, wbits=-15))
    told("deflate", [8 * deflate(image.tobytes()) for image in test])
    told("PNG filters and deflate", [8 * deflate(filtered(image)) for image in test])
    entries = np.arange(size)
    counts = np.ones((size, 256))
    for image in train:
        counts[entries, image.ravel()] += 1
    cost = -np.log2(counts / counts.sum(1, keepdims=True))
    told("histogram of each entry", [cost[entries, image.ravel()].sum() for image in test])
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 28}]
    length = lambda of: len(lzma.compress(of, lzma.FORMAT_RAW, filters=filters))
    both = length(train.tobytes() + test.tobytes()) - length(train.tobytes())
    told("LZMA of train and test, less train", [8 * both / len(test)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
