"""Splits the small emoji for `ancestral train --data`: usage: emoji.py FOLDER OUT.npz [mirrored]

FOLDER holds derived-twemoji-rgb32-idx4-ubyte.gz (2641 images of 32x32 pixels) and twemoji-names.txt.
Repeated images are dropped. Images stay on one side of the splits if their names differ only by man,
woman, person, boy or girl, or if they are equal in over 90 % of their pixels, also through others.
A group goes by the hash of its first name: two tenths are held out, for validation and for test.
OUT.npz has the arrays train, valid and test, [n, 3, 32, 32]; with `mirrored`, the mirror images of
train follow after it.
"""

import gzip
import hashlib
import sys

import numpy as np

PEOPLE = {"man", "woman", "person", "boy", "girl", "men", "women"}


def main(folder, out, mirrored):
    with gzip.open(f"{folder}/derived-twemoji-rgb32-idx4-ubyte.gz") as file:
        values = np.frombuffer(file.read(), np.uint8)[20:].reshape(-1, 32, 32, 3)
    names = open(f"{folder}/twemoji-names.txt", encoding="utf8").read().split("\n")[: len(values)]

    first = {}
    for image, name in zip(values, names):
        first.setdefault(image.tobytes(), (image, []))[1].append(name)
    images = np.stack([image for image, _ in first.values()])
    named = [all_names for _, all_names in first.values()]

    # Groups that are joined by a name or by nearly equal pixels.
    group = list(range(len(images)))

    def root(i):
        while group[i] != i:
            i = group[i]
        return i

    def join(i, j):
        i, j = sorted((root(i), root(j)))
        group[j] = i

    seen = {}
    for i, all_names in enumerate(named):
        for name in all_names:
            key = "_".join(part for part in name.split("_") if part not in PEOPLE)
            join(i, seen.setdefault(key, i))
    colors = images.reshape(len(images), -1, 3).astype(np.int32) @ [65536, 256, 1]
    for i in range(len(images)):
        same = (colors[i + 1 :] == colors[i]).mean(1) > 0.9
        for j in np.flatnonzero(same):
            join(i, i + 1 + j)

    splits = {"train": [], "valid": [], "test": []}
    for i in range(len(images)):
        tenth = hashlib.sha256(named[root(i)][0].encode()).digest()[0] % 10
        splits[{0: "test", 1: "valid"}.get(tenth, "train")].append(i)
    chosen = {name: images[at].transpose(0, 3, 1, 2) for name, at in splits.items()}
    if mirrored:
        chosen["train"] = np.concatenate([chosen["train"], chosen["train"][..., ::-1]])
    np.savez(out, **chosen)
    groups = len({root(i) for i in range(len(images))})
    sizes = ", ".join(f"{len(at)} {name}" for name, at in splits.items())
    print(f"{len(images)} images in {groups} groups: {sizes}")


main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["mirrored"])
