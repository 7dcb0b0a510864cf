"""Writes the data of the stored runs next to this file: reals.csv and digits-3-7.npz."""

import gzip
import io
import pathlib
import random
import struct
import zipfile

HERE = pathlib.Path(__file__).parent
DIGITS = HERE / "../../../ancestral-data/assets/digits.csv.gz"


def reals():
    """240 rows of five columns of different scales that depend on each other."""
    draw = random.Random(0)
    rows = ["a,b,c,d,e"]
    for _ in range(240):
        side = draw.choice([-1.0, 1.0])
        a = draw.gauss(side, 0.4)
        b = 50.0 + 20.0 * a + draw.gauss(0.0, 5.0)
        c = 0.01 * a * a + draw.gauss(0.0, 0.002)
        d = draw.expovariate(1.0) + 0.1 * side
        e = -300.0 * d + b + draw.gauss(0.0, 30.0)
        rows.append(f"{a:.4f},{b:.3f},{c:.5f},{d:.4f},{e:.2f}")
    (HERE / "reals.csv").write_text("\n".join(rows) + "\n")


def npy(dims, values):
    """One array of bytes in NumPy's format."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({dims},), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(values)


def digits():
    """The first 100 threes and the first 100 sevens of the embedded digits, 0 to 240."""
    left = {3: 100, 7: 100}
    images, labels = [], []
    for line in io.TextIOWrapper(gzip.open(DIGITS)):
        *pixels, label = map(int, line.split(","))
        if left.get(label, 0) > 0:
            left[label] -= 1
            images += [15 * pixel for pixel in pixels]
            labels.append(label)
    with zipfile.ZipFile(HERE / "digits-3-7.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, dims, values in [
            ("x.npy", f"{len(labels)}, 8, 8", images),
            ("y.npy", f"{len(labels)}", labels),
        ]:
            # A fixed date, so that the same values give the same file.
            archive.writestr(zipfile.ZipInfo(name), npy(dims, values), zipfile.ZIP_DEFLATED)


reals()
digits()
