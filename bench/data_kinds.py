"""What pandas, polars and torchvision's ImageFolder make of the kinds of files in docs/data.md.

    python data_kinds.py [PROGRAM]

Prints one line per kind and reader; with the path of `ancestral`, also what `data show` says.
Readers that are not installed are left out.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")



def more(text):
    """Ten copies of the last line, so that there is enough to split."""
    lines = text.splitlines(keepends=True)
    return "".join(lines + lines[-1:] * 9)


PLAIN = more("a,b,c\n1.5,2,3\n4.25,5,6\n")
TABLES = {
    "decimal comma, semicolons": ("t.csv", more("a;b;c\n1,5;2;3\n4,25;5;6\n")),
    "decimal comma, blanks": ("t.txt", more("1,5 2,0 3,0\n4,25 5,0 6,0\n")),
    "tabs in a .csv": ("t.csv", PLAIN.replace(",", "\t")),
    "sep=; line of Excel": ("t.csv", "sep=;\n" + PLAIN.replace(",", ";")),
    "byte order mark": ("t.csv", "\ufeff" + PLAIN),
    "UTF-16": ("t.csv", PLAIN.encode("utf-16")),
    "Windows-1252": ("t.csv", more("größe,b\n1,2\n3,4\n").encode("cp1252")),
    "CR line ends": ("t.csv", PLAIN.replace("\n", "\r").encode()),
    "numpy's # header": ("t.csv", more("# a,b,c\n1.5,2,3\n4.25,5,6\n")),
    "comment lines": ("t.csv", "# site A, B\n" + PLAIN),
    "trailing separators in rows": ("t.csv", more("a,b,c\n1.5,2,3,\n4.25,5,6,\n")),
    "index column of pandas": ("t.csv", ",a,b,c\n" + "".join(f"{i},{i / 4},2,3\n" for i in range(9))),
    "no header": ("t.csv", more("1.5,2,3\n4.25,5,6\n")),
    "duplicate header": ("t.csv", more("a,a\n1,2\n3,4\n")),
    "missing cell": ("t.csv", more("a,b\n1,NA\n3,4\n")),
    "word among numbers": ("t.csv", more("a,b\n1,2\n3,x\n")),
    "thousands separators": ("t.csv", more('a,b\n"1,234",2\n"5,678",4\n')),
    "percent signs": ("t.csv", more("a,b\n1,12%\n3,4%\n")),
    "class named None": ("t.csv", more("a,label\n1,None\n2,mild\n")),
    "zeros after gzip": ("t.csv.gz", gzip.compress(PLAIN.encode()) + b"\0" * 512),
    "unclosed quote": ("t.csv", 'a,b\n1,"2\n3,4\n'),
    "text after a quoted cell": ("t.csv", more('a,b\n"1"5,1\n2,2\n')),
    "one column of decimal commas": ("t.csv", more("price\n100,5\n200,25\n")),
    "hexadecimal": ("t.csv", more("a,b\n0x1f,1\n0x2f,2\n")),
    "exponents of Fortran": ("t.csv", more("a,b\n1.5D+02,1\n2.5D+02,2\n")),
    "parentheses": ("t.csv", more("a,b\n(5.5),1\n(6.5),2\n")),
    "Arabic digits": ("t.csv", more("a,b\n\u0661\u0662,1\n\u0663,2\n")),
    "units": ("t.csv", more("a,b\n12 kg,1\n13 kg,2\n")),
    "zeros before digits": ("t.csv", more("zip,b\n00501,1.5\n10001,2\n")),
    "points before three digits": ("t.csv", more("a;b\n1.100;2\n22.200;3\n")),
    "zero bytes": ("t.csv", more("a,b\n1,2\n3,\x004\n5,6\n")),
    "UTF-32": ("t.csv", PLAIN.encode("utf-32")),
    "JSON lines": ("t.csv", more('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n')),
    "ARFF": ("t.csv", more("@relation x\n@attribute a numeric\n@data\n1\n2\n")),
    "pointer of Git LFS": (
        "t.csv",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    ),
    "17 digits": ("t.csv", more("a\n0.30000000000000004\n100000000.25\n")),
}


def short(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0][:90]}" if str(error) else type(error).__name__


def show(frame, columns, rows):
    return f"columns {columns}, first row {rows}"


def with_pandas(path):
    import pandas

    frame = pandas.read_csv(path)
    first = frame.iloc[0].tolist() if len(frame) else None
    return show(frame, list(frame.columns), first)


def with_polars(path):
    import polars

    frame = polars.read_csv(path)
    first = list(frame.row(0)) if frame.height else None
    return show(frame, frame.columns, first)


def with_torchvision(path):
    from torchvision.datasets import ImageFolder

    folder = ImageFolder(str(path))
    sizes = {image.size for image, _ in folder}
    return f"classes {folder.classes}, {len(folder)} images of {sorted(sizes)}"


def with_program(program, path):
    done = subprocess.run(
        [program, "data", "show", str(path), "--out", str(path.parent / "sheet.png")],
        capture_output=True, text=True,
    )
    said = done.stderr if done.returncode else done.stderr + done.stdout
    return " / ".join(line.replace(str(path.parent) + "/", "") for line in said.splitlines()[:3])


def folders(root):
    """Folders of images, each of one kind."""
    from PIL import Image

    def image(path, size=(6, 4), color=200, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, color).save(path, **options)

    def plain(name):
        folder = root / name
        for kind in ["cat", "dog"]:
            for i in range(3):
                image(folder / kind / f"{i}.png", color=20 * i)
        return folder

    hidden = plain("hidden folder")
    image(hidden / ".ipynb_checkpoints" / "0.png")
    formats = plain("WebP, GIF, TIFF, BMP, JFIF")
    for extension in ["webp", "gif", "tif", "bmp"]:
        image(formats / "cat" / f"x.{extension}")
    image(formats / "cat" / "x.jfif", format="JPEG")
    stray = plain("image outside the class folders")
    image(stray / "preview.png")
    nested = plain("folders within a class")
    image(nested / "cat" / "more" / "9.png")
    numbers = root / "classes 1, 01 and 1.0"
    for kind in ["1", "01", "1.0"]:
        image(numbers / kind / "0.png")
    cut = plain("truncated JPEG")
    noise = Image.effect_noise((64, 64), 90)
    noise.save(cut / "cat" / "9.jpg")
    data = (cut / "cat" / "9.jpg").read_bytes()
    (cut / "cat" / "9.jpg").write_bytes(data[: len(data) // 2])
    turned = plain("EXIF orientation")
    exif = Image.Exif()
    exif[0x112] = 6
    for kind in ["cat", "dog"]:
        for i in range(3):
            os.remove(turned / kind / f"{i}.png")
        image(turned / kind / "0.jpg", exif=exif)
    link = plain("link to another class")
    os.symlink(link / "cat", link / "kitty")
    dangling = plain("dangling link")
    os.symlink(root / "nothing.png", dangling / "cat" / "9.png")
    return sorted(path for path in root.iterdir() if path.is_dir())


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else None
    table_readers = {"pandas": with_pandas, "polars": with_polars}
    with tempfile.TemporaryDirectory() as folder:
        for kind, (name, text) in TABLES.items():
            path = Path(folder) / name
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            print(f"## {kind}")
            for reader, read in table_readers.items():
                try:
                    print(f"{reader}: {read(path)}")
                except ImportError:
                    pass
                except BaseException as error:  # polars panics on some files
                    print(f"{reader}: {short(error)}")
            if program:
                print(f"ancestral: {with_program(program, path)}")
            path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for path in folders(Path(folder)):
            print(f"## {path.name}")
            try:
                print(f"ImageFolder: {with_torchvision(path)}")
            except ImportError:
                pass
            except Exception as error:
                print(f"ImageFolder: {short(error)}")
            if program:
                print(f"ancestral: {with_program(program, path)}")


if __name__ == "__main__":
    main()
