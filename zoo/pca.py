"""Writes the first principal components of binarized MNIST, for `ancestral fit qda`: usage: pca.py FOLDER OUT.npz [N]

FOLDER holds the four IDX files of MNIST. Pixels are bits drawn once, with their intensity as probability;
the N directions (default 50) are those of largest variance of the first 50,000 training images. OUT.npz has
the arrays train, valid and test with their labels; the last 10,000 training images are valid.
"""

import gzip
import sys
from pathlib import Path

import numpy as np


def read(folder, name, header):
    path = Path(folder) / name
    data = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return np.frombuffer(data, np.uint8)[header:]


def main(folder, out, count):
    rng = np.random.default_rng(0)
    arrays = {}
    for split, part in (("train", "train"), ("test", "t10k")):
        images = read(folder, f"{part}-images-idx3-ubyte", 16).reshape(-1, 784)
        bits = (rng.random(images.shape) < images / 255.0).astype(np.float64)
        arrays[split], arrays[f"{split}_labels"] = bits, read(folder, f"{part}-labels-idx1-ubyte", 8)
    arrays["valid"], arrays["valid_labels"] = arrays["train"][50_000:], arrays["train_labels"][50_000:]
    arrays["train"], arrays["train_labels"] = arrays["train"][:50_000], arrays["train_labels"][:50_000]
    mean = arrays["train"].mean(axis=0)
    axes = np.linalg.svd(np.cov(arrays["train"].T))[0][:, :count]
    for split in ("train", "valid", "test"):
        arrays[split] = (arrays[split] - mean) @ axes
    np.savez(out, **arrays)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 50)
