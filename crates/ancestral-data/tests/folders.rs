//! Folders of images as people have them: what is read, what is passed over, and which folders are
//! classes.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use ancestral_data::{Dataset, OpenOptions, SplitName, Values, describe, open};
use common::{gz, jpeg, png, tar};
use image::ExtendedColorType::{L8, L16};
use image::{DynamicImage, GrayImage, ImageFormat};

fn gray(value: u8) -> Vec<u8> {
    png(3, 2, L8, &[value; 6])
}

fn encoded(format: ImageFormat, value: u8) -> Vec<u8> {
    let image = GrayImage::from_pixel(3, 2, image::Luma([value]));
    let mut bytes = Cursor::new(Vec::new());
    // Not every encoder takes gray images.
    DynamicImage::ImageLuma8(image).to_rgb8().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn read(folder: &Path) -> Result<Dataset, ancestral_data::DataError> {
    let whole = OpenOptions { whole: true, ..OpenOptions::default() };
    open(folder.to_str().unwrap(), &whole)
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let said = read(folder).map(|data| format!("{:?}", data.class_names)).unwrap_err().to_string();
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

fn pixels(data: &Dataset) -> Vec<u8> {
    match &data.split(SplitName::Train).unwrap().values {
        Values::Bytes(v) => v.clone(),
        Values::Reals(_) => panic!("reals"),
    }
}

#[test]
fn hidden_folders_and_other_files_are_passed_over_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("cat/1.png", gray(1)),
        ("dog/2.png", gray(2)),
        ("cat/.ipynb_checkpoints/1.png", gray(3)),
        (".thumbnails/1.png", gray(4)),
        ("__MACOSX/cat/1.png", gray(5)),
        ("cat/.DS_Store", vec![0]),
        ("cat/notes.txt", vec![0]),
        ("labels.csv", vec![0]),
        ("cat/Thumbs.DB", vec![0]),
        ("README", vec![0]),
    ];
    write(dir.path(), &files);
    let data = read(dir.path()).unwrap();
    assert_eq!(
        (data.class_names.clone(), data.len(SplitName::Train)),
        (vec!["cat".into(), "dog".into()], 2)
    );
    let note = "passed over: 1 .csv, 1 .db, 1 .txt, 1 without an extension, 4 hidden";
    assert!(data.notes[0].ends_with(note), "{:?}", data.notes);
    // A tar has the same rules.
    let path = dir.path().join("all.tar.gz");
    fs::write(&path, gz(&tar(&files))).unwrap();
    let packed = read(&path).unwrap();
    assert_eq!(packed.fingerprint(), data.fingerprint());
    let none = tempfile::tempdir().unwrap();
    write(none.path(), &[("a.heic", vec![0]), ("b.heic", vec![0]), ("c.txt", vec![0])]);
    refused(none.path(), &["no PNG or JPEG image", "found 2 .heic, 1 .txt"]);
}

#[test]
fn formats_go_by_their_content_and_extensions_by_no_case() {
    let dir = tempfile::tempdir().unwrap();
    let photo = jpeg(3, 2, &[90; 18]);
    let files = [
        ("a/0.PNG", gray(90)),
        ("a/1.webp", encoded(ImageFormat::WebP, 90)),
        ("a/2.bmp", encoded(ImageFormat::Bmp, 90)),
        ("a/3.TIF", encoded(ImageFormat::Tiff, 90)),
        ("a/4.tiff", encoded(ImageFormat::Tiff, 90)),
        ("a/5.gif", encoded(ImageFormat::Gif, 90)),
        ("b/6.jfif", photo.clone()),
        ("b/7.jpe", photo.clone()),
        ("b/8.JPG", gray(90)),
    ];
    write(dir.path(), &files);
    let data = read(dir.path()).unwrap();
    assert_eq!((data.len(SplitName::Train), data.notes.len()), (9, 0), "{:?}", data.notes);
    assert!(pixels(&data).iter().all(|p| p.abs_diff(90) <= 3), "{:?}", pixels(&data));
    // Sixteen bits are scaled to eight.
    let deep: Vec<u8> = [0u16, 128 * 257, 255 * 257].iter().flat_map(|v| v.to_be_bytes()).collect();
    let path = dir.path().join("deep.png");
    fs::write(&path, png(3, 1, L16, &deep)).unwrap();
    assert_eq!(pixels(&read(&path).unwrap()), [0, 128, 255]);
}

/// A JPEG of 8×8 equal pixels in CMYK with Adobe's marker, up to the data of its scan.
const CMYK: &str = "\
    ffd8ffee000e41646f626500640000000000ffdb00430002010101010102010101020202020204030202020205040403\
    04060506060605060606070908060709070606080b08090a0a0a0a0a06080b0c0b0a0c090a0a0affc000140800080008\
    044311004d11005911004b1100ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc4\
    00b5100002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c115\
    52d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a63646566\
    6768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2\
    c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda000e0443004d005900\
    4b00003f00fdfcaf";

#[test]
fn inks_become_rgb() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |scan: &str| -> Vec<u8> {
        let hex = format!("{CMYK}{scan}");
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    };
    // Magenta and yellow in full; black only, 200 of 255.
    write(
        dir.path(),
        &[("a.jpg", bytes("e7febf9ffafdfcafffd9")), ("b.jpg", bytes("dfcafdfcafcdbaffd9"))],
    );
    let data = read(dir.path()).unwrap();
    assert_eq!(data.shape.dims(), [3, 8, 8]);
    let values = pixels(&data);
    let (red, others) = values[..3 * 64].split_at(64);
    assert!(red.iter().all(|&p| p >= 253) && others.iter().all(|&p| p <= 2), "{values:?}");
    assert!(values[3 * 64..].iter().all(|&p| p.abs_diff(55) <= 2), "{values:?}");
}

#[test]
fn a_jpeg_without_its_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..64 * 64 * 3).map(|i| (i * 7919 % 251) as u8).collect();
    let photo = jpeg(64, 64, &noise);
    for share in [2, 3, 5] {
        let cut = &photo[..photo.len() - photo.len() / share];
        write(dir.path(), &[("cut.jpg", cut.to_vec())]);
        refused(dir.path(), &["cut.jpg: image: the file ends too early"]);
    }
    let without_marker = photo[..photo.len() - 2].to_vec();
    write(dir.path(), &[("cut.jpg", without_marker)]);
    refused(dir.path(), &["the file ends too early"]);
    // Bytes after the end do not matter.
    let longer = [photo.clone(), vec![7; 100]].concat();
    write(dir.path(), &[("cut.jpg", longer), ("b.jpg", photo)]);
    let data = read(dir.path()).unwrap();
    let values = pixels(&data);
    assert_eq!(values[..values.len() / 2], values[values.len() / 2..]);
}

#[test]
fn orientation_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let photo =
        jpeg(16, 8, &(0..16 * 8).flat_map(|i| [(i % 16 * 16) as u8; 3]).collect::<Vec<_>>());
    // The tag of orientation after the start of the image: turn by 90° to the right.
    let mut exif =
        b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    exif.splice(0..0, [0xFF, 0xE1, length[0], length[1]]);
    let turned = [&photo[..2], &exif, &photo[2..]].concat();
    write(dir.path(), &[("a.jpg", turned)]);
    let data = read(dir.path()).unwrap();
    assert_eq!(data.shape.dims(), [3, 16, 8]);
    assert_eq!(data.notes, ["1 image was turned as EXIF says"]);
    // Brightness grows from the top to the bottom now.
    let values = pixels(&data);
    assert!(values[..8].iter().all(|&p| p < 20) && values[15 * 8..16 * 8].iter().all(|&p| p > 220));
}

#[test]
fn classes_are_folders_of_the_first_level() {
    let dir = tempfile::tempdir().unwrap();
    let names = |data: &Dataset| data.class_names.clone();
    write(
        dir.path(),
        &[
            ("numbers/1/a.png", gray(1)),
            ("numbers/01/a.png", gray(2)),
            ("numbers/1.0/a.png", gray(3)),
            ("numbers/10/a.png", gray(4)),
            ("order/2/a.png", gray(1)),
            ("order/10/a.png", gray(2)),
            ("order/-1/a.png", gray(3)),
            ("deep/cat/a.png", gray(1)),
            ("deep/cat/more/b.png", gray(2)),
            ("deep/dog/more/even/c.png", gray(3)),
            ("wrapped/photos/cat/a.png", gray(1)),
            ("wrapped/photos/dog/a.png", gray(2)),
            ("stray/cat/a.png", gray(1)),
            ("stray/cat/b.png", gray(1)),
            ("stray/dog/a.png", gray(2)),
            ("stray/preview.png", gray(3)),
            ("kaggle/train/cat/a.png", gray(1)),
            ("kaggle/train/dog/b.png", gray(2)),
            ("kaggle/test/1.png", gray(1)),
            ("kaggle/test/2.png", gray(4)),
        ],
    );
    assert_eq!(names(&read(&dir.path().join("numbers")).unwrap()), ["01", "1", "1.0", "10"]);
    assert_eq!(names(&read(&dir.path().join("order")).unwrap()), ["-1", "2", "10"]);
    let deep = read(&dir.path().join("deep")).unwrap();
    assert_eq!(names(&deep), ["cat", "dog"]);
    assert_eq!(deep.split(SplitName::Train).unwrap().labels, Some(vec![0, 0, 1]));
    assert_eq!(names(&read(&dir.path().join("wrapped")).unwrap()), ["cat", "dog"]);
    refused(
        &dir.path().join("stray"),
        &["stray/preview.png", "in no class folder, as 3 other", "--no-labels"],
    );
    let left = OpenOptions { no_labels: true, whole: true, ..OpenOptions::default() };
    let stray = open(dir.path().join("stray").to_str().unwrap(), &left).unwrap();
    assert_eq!((stray.classes(), stray.len(SplitName::Train)), (0, 4));
    let kaggle = read(&dir.path().join("kaggle")).unwrap();
    assert_eq!(names(&kaggle), ["cat", "dog"]);
    assert!(kaggle.split(SplitName::Train).unwrap().labels.is_some());
    assert_eq!(kaggle.split(SplitName::Test).unwrap().labels, None);
    // The same example in two splits is counted.
    let shared = describe(&kaggle).shared;
    assert_eq!((shared.len(), shared[0].of.as_str(), shared[0].examples), (1, "test", 1));
}

#[cfg(unix)]
#[test]
fn links_and_names_that_are_no_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("set");
    write(&set, &[("cat/a.png", gray(1)), ("dog/b.png", gray(2))]);
    symlink(set.join("cat"), set.join("a_link")).unwrap();
    symlink(&set, set.join("cat/cycle")).unwrap();
    let data = read(&set).unwrap();
    assert_eq!(
        (data.class_names.clone(), data.len(SplitName::Train)),
        (vec!["cat".into(), "dog".into()], 2)
    );
    assert!(data.notes[0].contains("2 linked again"), "{:?}", data.notes);
    // Folders that are links only are read under the names of the links.
    let links = dir.path().join("links");
    fs::create_dir(&links).unwrap();
    symlink(set.join("cat"), links.join("one")).unwrap();
    symlink(set.join("dog"), links.join("two")).unwrap();
    let linked = read(&links).unwrap();
    assert_eq!(linked.class_names, ["one", "two"]);
    symlink(dir.path().join("nothing.png"), set.join("dog/c.png")).unwrap();
    refused(&set, &["dog/c.png: link: it points to", "nothing.png", "mend or delete"]);

    let odd = dir.path().join("odd");
    for (bytes, value) in [(&b"caf\xe9"[..], 1), (b"th\xe9", 2)] {
        let folder = odd.join(OsStr::from_bytes(bytes));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.png"), gray(value)).unwrap();
    }
    let data = read(&odd).unwrap();
    assert_eq!(data.class_names, ["caf\u{fffd}", "th\u{fffd}"]);
}

#[test]
fn batches_of_cifar_that_are_missing_or_of_the_wrong_kind() {
    let dir = tempfile::tempdir().unwrap();
    let batches = |numbers: &[u8]| {
        let folder = dir.path().join(format!("{numbers:?}"));
        fs::create_dir(&folder).unwrap();
        for i in numbers {
            fs::write(folder.join(format!("data_batch_{i}.bin")), common::cifar(10)).unwrap();
        }
        folder
    };
    refused(&batches(&[1, 2, 4, 5]), &["'data_batch_3.bin' was not found"]);
    let few = read(&batches(&[1, 2])).unwrap();
    assert!(few.notes[0].contains("2 of 5 batches were read"), "{:?}", few.notes);
    assert_eq!(read(&batches(&[1, 2, 3, 4, 5])).unwrap().notes.len(), 0);
    let python = dir.path().join("python");
    write(&python, &[("data_batch_1", vec![0]), ("batches.meta", vec![0])]);
    refused(&python, &["the Python version of CIFAR-10", "cifar-10-binary.tar.gz"]);
    let packed = tar(&[("cifar-10-batches-py/data_batch_1", vec![0; 10])]);
    write(dir.path(), &[("python.tar", packed)]);
    refused(&dir.path().join("python.tar"), &["the Python version of CIFAR-10"]);
}

#[test]
fn mnist_under_the_names_that_some_programs_unpack() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("train-images.idx3-ubyte", common::idx(8, &[30, 2, 2], &[9; 120])),
            ("train-labels.idx1-ubyte", common::idx(8, &[30], &[1; 30])),
            ("t10k-images.idx3-ubyte", common::idx(8, &[5, 2, 2], &[3; 20])),
            ("t10k-labels.idx1-ubyte", common::idx(8, &[5], &[4; 5])),
        ],
    );
    let data = read(dir.path()).unwrap();
    assert_eq!(data.class_names, ["1", "4"]);
    let one = read(&dir.path().join("t10k-images.idx3-ubyte")).unwrap();
    assert_eq!(one.class_names, ["4"]);
    write(dir.path(), &[("page.idx", b"<!DOCTYPE html>".to_vec())]);
    refused(&dir.path().join("page.idx"), &["a web page"]);
}

#[test]
fn files_without_an_image_are_named_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let good = gray(7);
    let mut damaged = good.clone();
    let at = damaged.len() - 20;
    damaged[at] ^= 0xff;
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n";
    for (bytes, words) in [
        (Vec::new(), "the file is empty"),
        (pointer.to_vec(), "Git LFS"),
        (damaged, "it is damaged (a checksum does not match)"),
    ] {
        write(dir.path(), &[("a.png", bytes), ("b.png", good.clone())]);
        refused(dir.path(), &["a.png", words]);
        assert!(!read(dir.path()).unwrap_err().to_string().contains("ChunkType"));
    }
}

#[test]
fn folders_that_look_alike_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = [("caf\u{e9}/a.png", gray(1)), ("cafe\u{301}/b.png", gray(2))];
    write(dir.path(), &files);
    // Some file systems know one of these names only.
    if fs::read_dir(dir.path()).unwrap().count() == 2 {
        refused(dir.path(), &["looks like the class folder", "rename one"]);
    }
}

#[test]
fn the_only_folder_is_a_class_if_its_name_is_known() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("cats/a.png", gray(1)), ("cats/b.png", gray(2))]);
    let data = read(dir.path()).unwrap();
    assert_eq!(data.classes(), 0);
    assert!(data.notes[0].contains("all images are in the folder cats"), "{:?}", data.notes);
    let classes = vec!["cats".to_owned(), "dogs".to_owned()];
    let expected = ancestral_data::Expected { classes, ..Default::default() };
    let options = OpenOptions { whole: true, expected, ..OpenOptions::default() };
    let data = open(dir.path().to_str().unwrap(), &options).unwrap();
    assert_eq!((data.class_names.join(","), data.notes.len()), ("cats".into(), 0));
    // Images without folders are said nothing of.
    let flat = tempfile::tempdir().unwrap();
    write(flat.path(), &[("a.png", gray(1)), ("b.png", gray(2))]);
    assert!(read(flat.path()).unwrap().notes.is_empty());
}
