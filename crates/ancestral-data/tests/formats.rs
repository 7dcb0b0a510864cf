//! Every format is read back as it was written, and what is wrong with a file is said.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use ancestral_data::{
    Background, DataError, Dataset, Domain, OpenOptions, SplitName, Values, open,
};
use common::{cifar, gz, idx, jpeg, npy, npz, png, tar};
use image::ExtendedColorType::{L8, Rgb8, Rgba8};

fn whole() -> OpenOptions {
    OpenOptions { whole: true, ..OpenOptions::default() }
}

fn read(dir: &Path, name: &str, bytes: &[u8]) -> Result<Dataset, DataError> {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    open(path.to_str().unwrap(), &whole())
}

fn bytes(data: &Dataset, split: SplitName) -> Vec<u8> {
    match &data.split(split).unwrap().values {
        Values::Bytes(v) => v.clone(),
        Values::Reals(_) => panic!("reals"),
    }
}

fn reals(data: &Dataset) -> Vec<f64> {
    match &data.split(SplitName::Train).unwrap().values {
        Values::Reals(v) => v.clone(),
        Values::Bytes(_) => panic!("bytes"),
    }
}

/// The error of a bad file names the file and says each of the words.
fn refused(result: Result<Dataset, DataError>, file: &str, words: &[&str]) {
    let error = result.unwrap_err();
    assert!(matches!(error, DataError::Malformed { .. }), "{error:?}");
    let text = error.to_string();
    for word in std::iter::once(&file).chain(words) {
        assert!(text.contains(word), "'{word}' is not in: {text}");
    }
}

#[test]
fn idx_files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let images: Vec<u8> = (0..3 * 4).map(|i| i * 20).collect();
    fs::write(dir.join("a-labels-idx1-ubyte.gz"), gz(&idx(8, &[3], &[2, 0, 1]))).unwrap();
    let data = read(dir, "a-images-idx3-ubyte.gz", &gz(&idx(8, &[3, 2, 2], &images))).unwrap();
    assert_eq!((data.domain, data.shape.dims()), (Domain::Levels(256), &[1, 2, 2][..]));
    assert_eq!(bytes(&data, SplitName::Train), images);
    assert_eq!(data.split(SplitName::Train).unwrap().labels, Some(vec![2, 0, 1]));

    // One to four axes, and the wider types.
    let data = read(dir, "one.idx", &idx(8, &[4], &[0, 1, 1, 0])).unwrap();
    assert_eq!((data.domain, data.shape.size()), (Domain::Binary, 1));
    let data = read(dir, "two.idx", &idx(0x0B, &[2, 2], &[0, 1, 1, 0, 0xFF, 0xFF, 0, 0])).unwrap();
    assert_eq!((data.domain, reals(&data)), (Domain::Real, vec![1.0, 256.0, -1.0, 0.0]));
    let data = read(dir, "four.idx", &idx(8, &[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6])).unwrap();
    assert_eq!(data.shape.dims(), [3, 1, 2]);
    assert_eq!(bytes(&data, SplitName::Train), [1, 4, 2, 5, 3, 6]);
    let floats: Vec<u8> = [0.5f32, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(reals(&read(dir, "f.idx", &idx(0x0D, &[2], &floats)).unwrap()), [0.5, -2.0]);

    refused(read(dir, "m.idx", &[1, 2, 8, 1, 0, 0, 0, 0]), "m.idx", &["byte 0", "expected 00 00"]);
    refused(read(dir, "h.idx", &[0, 0, 8, 3, 0]), "h.idx", &["byte 5", "12 bytes of sizes"]);
    refused(
        read(dir, "s.idx", &idx(8, &[2, 3], &[1, 2, 3])),
        "s.idx",
        &["byte 15", "expected 6 bytes", "found 3"],
    );
    refused(
        read(dir, "l.idx", &idx(8, &[2], &[1, 2, 3])),
        "l.idx",
        &["byte 10", "end of the file"],
    );
    refused(
        read(dir, "big.idx", &idx(8, &[u32::MAX; 4], &[1, 2, 3])),
        "big.idx",
        &["more than any file can hold"],
    );
    refused(read(dir, "large.idx", &idx(8, &[1 << 30, 1 << 20], &[1])), "large.idx", &["found 1"]);
    let mut cut = gz(&idx(8, &[100, 10], &[7; 1000]));
    cut.truncate(cut.len() - 9);
    refused(read(dir, "cut.idx.gz", &cut), "cut.idx.gz", &["unpacked", "ends too early"]);
    let nan: Vec<u8> = [0.5f32, f32::NAN].iter().flat_map(|v| v.to_be_bytes()).collect();
    refused(read(dir, "n.idx", &idx(0x0D, &[2], &nan)), "n.idx", &["byte 12", "finite"]);
    refused(read(dir, "none.idx", &idx(8, &[0, 3], &[])), "none.idx", &["no examples"]);
}

#[test]
fn an_idx_folder_is_split_as_mnist() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", &idx(8, &[30, 2, 2], &[9; 120]));
    write("train-labels-idx1-ubyte", &idx(8, &[30], &[1; 30]));
    write("t10k-images-idx3-ubyte.gz", &gz(&idx(8, &[5, 2, 2], &[3; 20])));
    let missing = open(dir.path().to_str().unwrap(), &OpenOptions::default()).unwrap_err();
    assert!(missing.to_string().contains("t10k-labels-idx1-ubyte"), "{missing}");
    write("t10k-labels-idx1-ubyte.gz", &gz(&idx(8, &[4], &[0; 4])));
    let path = dir.path().to_str().unwrap().to_owned();
    refused(open(&path, &OpenOptions::default()), "t10k", &["4 labels for 5 examples"]);
    write("t10k-labels-idx1-ubyte.gz", &gz(&idx(8, &[5], &[0; 5])));
    let data = open(&path, &OpenOptions::default()).unwrap();
    let counts =
        |d: &Dataset| [SplitName::Train, SplitName::Valid, SplitName::Test].map(|s| d.len(s));
    assert_eq!(counts(&data), [27, 3, 5]);
    assert_eq!(bytes(&data, SplitName::Test), [3; 20]);
    let all = OpenOptions { all_train: true, ..OpenOptions::default() };
    assert_eq!(counts(&open(&path, &all).unwrap()), [30, 3, 5]);
}

#[test]
fn text_files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = read(dir, "a.amat", b"0 1 1 0\r\n1 1 0 0\n\n").unwrap();
    assert_eq!((data.domain, data.shape.dims()), (Domain::Binary, &[1, 2, 2][..]));
    assert_eq!(bytes(&data, SplitName::Train), [0, 1, 1, 0, 1, 1, 0, 0]);
    let data = read(dir, "b.amat.gz", &gz(b"1 0 0.5\n-1e-2 1 0\n")).unwrap();
    assert_eq!((data.domain, reals(&data)), (Domain::Real, vec![1.0, 0.0, 0.5, -0.01, 1.0, 0.0]));
    refused(read(dir, "c.amat", b"0 1\n0\n"), "c.amat", &["line 2", "expected 2"]);
    refused(read(dir, "d.amat", b"0 1\n0 x\n"), "d.amat", &["line 2, column 2", "'x'"]);
    refused(read(dir, "e.amat", b"0 nan\n"), "e.amat", &["column 2", "finite"]);
    refused(read(dir, "f.amat", b"\n"), "f.amat", &["at least one"]);

    for (split, rows) in [("train", "0,1\n1,1\n"), ("valid", "1,0\n"), ("test", "0,0\n0,1\n")] {
        fs::create_dir_all(dir.join("set")).unwrap();
        fs::write(dir.join(format!("set/toy.{split}.data.gz")), gz(rows.as_bytes())).unwrap();
    }
    let data = open(dir.join("set").to_str().unwrap(), &OpenOptions::default()).unwrap();
    assert_eq!((data.domain, data.shape.dims()), (Domain::Binary, &[2][..]));
    assert_eq!(bytes(&data, SplitName::Train), [0, 1, 1, 1]);
    assert_eq!(bytes(&data, SplitName::Valid), [1, 0]);
    assert_eq!(bytes(&data, SplitName::Test), [0, 0, 0, 1]);
    fs::write(dir.join("set/toy.valid.data.gz"), gz(b"1,0,1\n")).unwrap();
    let result = open(dir.join("set").to_str().unwrap(), &OpenOptions::default());
    refused(result, "toy.valid.data.gz", &["expected 2"]);
}

#[test]
fn numpy_files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = read(dir, "a.npy", &npy("|u1", false, "(2, 1, 2)", &[0, 7, 255, 1])).unwrap();
    assert_eq!((data.domain, data.shape.dims()), (Domain::Levels(256), &[1, 1, 2][..]));
    assert_eq!(bytes(&data, SplitName::Train), [0, 7, 255, 1]);
    let data = read(dir, "b.npy", &npy("|b1", false, "(3,)", &[0, 1, 1])).unwrap();
    assert_eq!(data.domain, Domain::Binary);
    let doubles: Vec<u8> = [0.25f64, -3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(
        reals(&read(dir, "c.npy", &npy("<f8", false, "(1, 2)", &doubles)).unwrap()),
        [0.25, -3.0]
    );
    let longs: Vec<u8> = [-5i64, 1000].iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(
        reals(&read(dir, "d.npy.gz", &gz(&npy(">i8", false, "(2, 1)", &longs))).unwrap()),
        [-5.0, 1000.0]
    );
    let shorts: Vec<u8> = [-5i16, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(
        reals(&read(dir, "e.npy", &npy("<i2", false, "(2, 1)", &shorts)).unwrap()),
        [-5.0, 7.0]
    );
    // Whole numbers in the shape of an image are levels.
    let longs: Vec<u8> = [5i64, 200].iter().flat_map(|v| v.to_le_bytes()).collect();
    let data = read(dir, "f.npy", &npy("<i8", false, "(1, 1, 2)", &longs)).unwrap();
    assert_eq!(data.domain, Domain::Levels(256));

    let fortran = npy("|u1", true, "(2, 2, 3)", &[1, 7, 4, 10, 2, 8, 5, 11, 3, 9, 6, 12]);
    let data = read(dir, "g.npy", &fortran).unwrap();
    assert_eq!(bytes(&data, SplitName::Train), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    refused(read(dir, "h.npy", &npy("<c8", false, "(1,)", &[0; 8])), "h.npy", &["<c8"]);
    refused(read(dir, "i.npy", &npy("|u1", false, "(9, 9)", &[0; 8])), "i.npy", &["found 8"]);
    let huge = "(1152921504606846976, 8)";
    refused(read(dir, "j.npy", &npy("<f8", false, huge, &[0; 8])), "j.npy", &["any file"]);
    refused(read(dir, "k.npy", &npy("|u1", false, "()", &[0])), "k.npy", &["shape"]);
    let nan = f32::INFINITY.to_le_bytes();
    refused(read(dir, "l.npy", &npy("<f4", false, "(1,)", &nan)), "l.npy", &["byte 128", "finite"]);
    let longs = u64::MAX.to_le_bytes();
    refused(read(dir, "m.npy", &npy("<u8", false, "(1,)", &longs)), "m.npy", &["2^53"]);
    let large = 1e300f64.to_le_bytes();
    let large = read(dir, "n.npy", &npy("<f8", false, "(1,)", &large));
    refused(large, "n.npy", &["byte 128", "1e300 is beyond", "divide"]);
}

#[test]
fn numpy_archives() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let part = |n: usize, v: u8| npy("|u1", false, &format!("({n}, 2, 1)"), &vec![v; 2 * n]);
    let labels = |n: usize| npy("<i8", false, &format!("({n}, 1)"), &vec![0; 8 * n]);
    let archive = npz(&[
        ("x_train", part(4, 9)),
        ("y_train", labels(4)),
        ("x_test", part(2, 5)),
        ("y_test", labels(2)),
    ]);
    fs::write(dir.join("a.npz"), &archive).unwrap();
    let data = open(dir.join("a.npz").to_str().unwrap(), &OpenOptions::default()).unwrap();
    assert_eq!([data.len(SplitName::Train), data.len(SplitName::Valid)], [3, 1]);
    assert_eq!(bytes(&data, SplitName::Test), [5; 4]);
    assert_eq!(data.split(SplitName::Test).unwrap().labels, Some(vec![0, 0]));
    let data = read(dir, "b.npz", &npz(&[("arr_0", part(3, 1))])).unwrap();
    assert_eq!((data.len(SplitName::Train), data.domain), (3, Domain::Binary));
    refused(read(dir, "c.npz", &npz(&[("other", part(3, 1))])), "c.npz", &["other.npy", "x_train"]);
    let uneven = npz(&[("train", part(3, 1)), ("y_train", labels(2))]);
    refused(read(dir, "d.npz", &uneven), "d.npz", &["2 labels for 3 examples"]);
    refused(read(dir, "e.npz", &archive[..archive.len() / 2]), "e.npz", &["archive"]);

    // Other arrays are named, real labels are none, and labels may be left out.
    let halves: Vec<u8> = [0.5f64, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let real = npy("<f8", false, "(3,)", &halves);
    let more = npz(&[("x", part(3, 1)), ("y", real), ("weights", part(2, 1))]);
    refused(read(dir, "f.npz", &more), "f.npz", &["label 0 is 0.5", "--no-labels"]);
    let path = dir.join("f.npz").to_str().unwrap().to_owned();
    let data = open(&path, &OpenOptions { no_labels: true, ..whole() }).unwrap();
    assert_eq!(data.split(SplitName::Train).unwrap().labels, None);
    assert!(data.notes[0].contains("y.npy") && data.notes[0].contains("weights.npy were passed"));
    let gaps: Vec<u8> = [3.0f64, 7.0, 900.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let gaps = npz(&[("x", part(3, 1)), ("y", npy("<f8", false, "(3,)", &gaps))]);
    assert_eq!(read(dir, "g.npz", &gaps).unwrap().class_names, ["3", "7", "900"]);
    // A member that is damaged is bad input, not an error of the system.
    let mut damaged = npz(&[("x", npy("|u1", false, "(40, 2, 1)", &[7; 80]))]);
    let at = damaged.len() / 3;
    damaged[at] ^= 0x55;
    assert!(matches!(read(dir, "h.npz", &damaged), Err(DataError::Malformed { .. })));
}

#[test]
fn tables() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = read(dir, "a.csv", b"x,Class,y\n1.5,b,2\n-3,a,4e1\n").unwrap();
    assert_eq!((data.domain, reals(&data)), (Domain::Real, vec![1.5, 2.0, -3.0, 40.0]));
    assert_eq!(
        (data.column_names, data.class_names),
        (vec!["x".into(), "y".into()], vec!["a".into(), "b".into()])
    );
    let data = read(dir, "b.csv.gz", &gz(b"0,1\n1,1\n")).unwrap();
    assert_eq!((data.domain, data.len(SplitName::Train)), (Domain::Binary, 2));
    let data = read(dir, "c.csv", b"a;label\n3;7\n4;2\n").unwrap();
    assert_eq!(data.split(SplitName::Train).unwrap().labels, Some(vec![1, 0]));
    assert_eq!((data.domain, data.class_names), (Domain::Real, vec!["2".into(), "7".into()]));
    let path = dir.join("c4.csv");
    fs::write(&path, "1,2,3,4\n5,6,7,8\n").unwrap();
    let options = OpenOptions { image_shape: Some([1, 2, 2]), ..whole() };
    let data = open(path.to_str().unwrap(), &options).unwrap();
    assert_eq!((data.domain, data.shape.dims()), (Domain::Levels(256), &[1, 2, 2][..]));
    let options = OpenOptions { levels: Some(17), ..options };
    assert_eq!(open(path.to_str().unwrap(), &options).unwrap().domain, Domain::Levels(17));
    let options = OpenOptions { levels: Some(8), ..options };
    assert!(open(path.to_str().unwrap(), &options).unwrap_err().to_string().contains("reach 8"));
    let options = OpenOptions { real: true, ..options };
    assert!(open(path.to_str().unwrap(), &options).is_err());
    let options = OpenOptions { real: true, ..whole() };
    let bits = dir.join("b.csv.gz");
    assert_eq!(open(bits.to_str().unwrap(), &options).unwrap().domain, Domain::Real);
    let options = OpenOptions { image_shape: Some([1, 3, 2]), ..whole() };
    assert!(open(path.to_str().unwrap(), &options).unwrap_err().to_string().contains("1×3×2"));

    refused(read(dir, "d.csv", b"1,2\n3\n"), "d.csv", &["line 2, column 2", "expected 2"]);
    refused(read(dir, "e.csv", b"a,b\n1,2\n1,x\n"), "e.csv", &["line 3, column 2", "'x'"]);
    refused(read(dir, "f.csv", b"a,b\n1,NaN\n"), "f.csv", &["line 2, column 2", "finite"]);
    refused(read(dir, "g.csv", b"a,b\n"), "g.csv", &["at least one row"]);
    refused(read(dir, "h.csv", b""), "h.csv", &["at least one row"]);
    refused(read(dir, "i.csv", b"1,2\n\xff\xfe,2\n"), "i.csv", &["line 2", "'ÿþ'"]);
    let cut = gz("1.25,2.5\n".repeat(3000).as_bytes());
    refused(read(dir, "j.csv.gz", &cut[..cut.len() - 12]), "j.csv.gz", &["packed data"]);
}

#[test]
fn folds_of_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let text = "x,Fold,label,y\n0.5,7,a,1\n1.5,2,b,1\n2.5,10,a,1\n3.5,7,b,1\n4.5,2,a,1\n";
    let data = read(dir, "a.csv", text.as_bytes()).unwrap();
    assert_eq!(data.column_names, ["x", "y"]);
    assert_eq!(reals(&data), [0.5, 1.0, 1.5, 1.0, 2.5, 1.0, 3.5, 1.0, 4.5, 1.0]);
    let path = dir.join("a.csv").to_str().unwrap().to_owned();
    let fold = |fold, all_train| {
        open(&path, &OpenOptions { fold: Some(fold), all_train, ..OpenOptions::default() })
    };
    let firsts = |data: &Dataset| {
        [SplitName::Train, SplitName::Valid, SplitName::Test].map(|split| {
            let split = data.split(split).unwrap();
            assert_eq!(split.labels.as_ref().unwrap().len() * 2, split.values.len());
            match &split.values {
                Values::Reals(v) => v.iter().copied().step_by(2).collect::<Vec<f64>>(),
                Values::Bytes(_) => panic!("bytes"),
            }
        })
    };
    // Folds come in the order of their numbers, and after the last comes the first.
    let data = fold(2, false).unwrap();
    assert_eq!(firsts(&data), [vec![2.5], vec![0.5, 3.5], vec![1.5, 4.5]]);
    assert_eq!(data.split(SplitName::Test).unwrap().labels, Some(vec![1, 0]));
    assert_eq!(firsts(&fold(10, false).unwrap()), [vec![0.5, 3.5], vec![1.5, 4.5], vec![2.5]]);
    assert_eq!(firsts(&fold(10, true).unwrap())[0], [0.5, 3.5, 1.5, 4.5]);
    assert_ne!(fold(7, false).unwrap().fingerprint(), data.fingerprint());
    // Without a fold, splits are carved by seed.
    let carved = open(&path, &OpenOptions::default()).unwrap();
    assert_eq!([carved.len(SplitName::Train), carved.len(SplitName::Test)], [3, 1]);

    let text = fold(3, false).unwrap_err().to_string();
    assert!(text.contains("no fold 3; the folds are 2, 7, 10"), "{text}");
    refused(read(dir, "b.csv", b"fold,x\n1,2\n1.5,2\n"), "b.csv", &["line 3, column 1", "'1.5'"]);
    refused(read(dir, "c.csv", b"fold\n1\n"), "c.csv", &["no numbers"]);
    let options = OpenOptions { fold: Some(1), ..OpenOptions::default() };
    for (name, bytes, words) in [
        ("two.csv", b"fold,x\n1,2\n2,2\n".to_vec(), "take a fold each; the folds are 1, 2"),
        ("none.csv", b"x,y\n1,2\n2,2\n3,4\n".to_vec(), "has no folds"),
        ("bare.csv", b"1,2\n2,2\n3,4\n".to_vec(), "has no folds"),
        ("bits.data", b"0 1\n1 0\n1 1\n".to_vec(), "has no folds"),
        ("gray.png", png(2, 1, L8, &[1, 2]), "has no folds"),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
        let error = open(dir.join(name).to_str().unwrap(), &options).unwrap_err();
        assert!(matches!(error, DataError::Unsuitable(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
    assert!(open("digits", &options).unwrap_err().to_string().contains("has no folds"));
}

#[test]
fn cifar_batches() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = read(dir, "one.bin", &cifar(12)).unwrap();
    assert_eq!((data.shape.dims(), data.domain), (&[3, 32, 32][..], Domain::Levels(256)));
    assert_eq!(data.class_names[3], "cat");
    assert_eq!(bytes(&data, SplitName::Train)[3072..3075], [31, 32, 33]);
    refused(read(dir, "two.bin", &cifar(1)[..3000]), "two.bin", &["3073"]);
    refused(read(dir, "three.bin", &[10; 3073]), "three.bin", &["byte 0", "0 to 9"]);

    let batches = dir.join("cifar10").join("cifar-10-batches-bin");
    fs::create_dir_all(&batches).unwrap();
    for i in 1..=5 {
        fs::write(batches.join(format!("data_batch_{i}.bin")), cifar(1200)).unwrap();
    }
    fs::write(batches.join("test_batch.bin"), cifar(30)).unwrap();
    let by_name = OpenOptions { data_dir: Some(dir.into()), ..OpenOptions::default() };
    let data = open("cifar10", &by_name).unwrap();
    let counts = [SplitName::Train, SplitName::Valid, SplitName::Test].map(|s| data.len(s));
    assert_eq!(counts, [1000, 5000, 30]);

    // The published archive gives the same.
    let mut files: Vec<(String, Vec<u8>)> = (1..=5)
        .map(|i| (format!("cifar-10-batches-bin/data_batch_{i}.bin"), cifar(1200)))
        .collect();
    files.push(("cifar-10-batches-bin/test_batch.bin".into(), cifar(30)));
    files.push(("cifar-10-batches-bin/readme.html".into(), b"x".to_vec()));
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|f| (f.0.as_str(), f.1.clone())).collect();
    fs::remove_dir_all(&batches).unwrap();
    fs::write(dir.join("cifar10/cifar-10-binary.tar.gz"), gz(&tar(&files))).unwrap();
    assert_eq!(open("cifar10", &by_name).unwrap().fingerprint(), data.fingerprint());
}

#[test]
fn folders_and_tars_of_images() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let gray = |v: u8| png(3, 2, L8, &[v; 6]);
    let files = [("set/b/1.png", gray(10)), ("set/a/2.png", gray(20)), ("set/a/1.png", gray(30))];
    for (name, bytes) in &files {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    }
    fs::write(dir.join("set/notes.txt"), "not an image").unwrap();
    let data = open(dir.join("set").to_str().unwrap(), &whole()).unwrap();
    assert_eq!((data.shape.dims(), data.domain), (&[1, 2, 3][..], Domain::Levels(256)));
    assert_eq!(data.class_names, ["a", "b"]);
    assert_eq!(data.split(SplitName::Train).unwrap().labels, Some(vec![0, 0, 1]));
    assert_eq!(bytes(&data, SplitName::Train)[5..7], [30, 20]);
    for (name, bytes) in
        [("t.tar", tar(&files)), ("t.tar.gz", gz(&tar(&files))), ("t.tgz", gz(&tar(&files)))]
    {
        let same = read(dir, name, &bytes).unwrap();
        assert_eq!(
            (same.fingerprint(), same.class_names),
            (data.fingerprint(), data.class_names.clone())
        );
    }

    // split/class/file, color, and transparency over a background.
    let color = png(1, 1, Rgb8, &[1, 2, 3]);
    let clear = png(1, 1, Rgba8, &[9, 9, 9, 0]);
    let files = [
        ("x/train/cat/a.png", color.clone()),
        ("x/train/dog/b.png", clear),
        ("x/test/cat/c.png", color.clone()),
        ("x/val/cat/d.png", png(1, 1, L8, &[7])),
    ];
    let split = read(dir, "split.tar", &tar(&files));
    let error = split.unwrap_err();
    let clear = matches!(&error, DataError::Transparent { path } if path.ends_with("dog/b.png"));
    assert!(clear && error.to_string().contains("transparent pixels"), "{error:?}");
    let split = dir.join("split.tar").to_str().unwrap().to_owned();
    for (background, shown) in [(Background::Black, 0), (Background::White, 255)] {
        let options = OpenOptions { background: Some(background), ..whole() };
        let data = open(&split, &options).unwrap();
        assert_eq!(bytes(&data, SplitName::Train), [1, 2, 3, shown, shown, shown]);
    }
    let opaque = [files[0].clone(), ("x/train/b.png", png(1, 1, Rgba8, &[9, 8, 7, 255]))];
    let data = read(dir, "opaque.tar", &tar(&opaque)).unwrap();
    assert_eq!(bytes(&data, SplitName::Train), [9, 8, 7, 1, 2, 3], "nothing shows through");
    let options = OpenOptions { background: Some(Background::White), ..whole() };
    let data = open(&split, &options).unwrap();
    assert_eq!(bytes(&data, SplitName::Valid), [7, 7, 7]);
    assert_eq!(data.split(SplitName::Test).unwrap().labels, Some(vec![0]));
    let stray = [files[0].clone(), ("x/cat/e.png", color)];
    refused(read(dir, "stray.tar", &tar(&stray)), "stray.tar", &["no train, valid or test"]);

    // Resizing and dropping color.
    let photo = jpeg(16, 8, &[200; 16 * 8 * 3]);
    fs::create_dir_all(dir.join("photos")).unwrap();
    fs::write(dir.join("photos/a.jpg"), &photo).unwrap();
    fs::write(dir.join("photos/b.png"), png(5, 5, L8, &[200; 25])).unwrap();
    let photos = dir.join("photos").to_str().unwrap().to_owned();
    let error = open(&photos, &whole()).unwrap_err();
    let DataError::ImageSize { size: [5, 5], expected: [16, 8], .. } = error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().contains("b.png: image: 5×5 pixels"), "{error}");
    let options = OpenOptions { resize: Some((4, 6)), gray: true, ..whole() };
    let data = open(&photos, &options).unwrap();
    assert_eq!((data.shape.dims(), data.len(SplitName::Train)), (&[1, 4, 6][..], 2));
    assert!(bytes(&data, SplitName::Train).iter().all(|&v| v.abs_diff(200) <= 2));
    assert!(data.split(SplitName::Train).unwrap().labels.is_none());
    let none = OpenOptions { resize: Some((0, 6)), ..whole() };
    assert!(open(&photos, &none).is_err());
    let wrong = OpenOptions { gray: true, ..whole() };
    assert!(open("digits", &wrong).unwrap_err().to_string().contains("folders and tars"));

    // A header that promises far more than the file holds.
    let mut false_size = png(4, 4, L8, &[1; 16]);
    false_size[16..24].copy_from_slice(&[0, 0, 0x1F, 0xFF, 0, 0, 0x1F, 0xFF]);
    refused(read(dir, "huge.png", &false_size), "huge.png", &["image"]);
    refused(read(dir, "not.png", b"GIF89a"), "not.png", &["cannot be"]);
    fs::create_dir_all(dir.join("empty")).unwrap();
    refused(open(dir.join("empty").to_str().unwrap(), &whole()), "empty", &["no PNG or JPEG"]);
    let archive = tar(&[("a.png", gray(1))]);
    refused(read(dir, "cut.tar", &archive[..540]), "cut.tar", &["archive"]);
}

#[test]
fn what_is_not_there_says_where_it_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { data_dir: Some(dir.path().into()), ..OpenOptions::default() };
    let error = open("mnist", &options).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with(dir.path().join("mnist").to_str().unwrap()), "{text}");
    let DataError::Missing { folder, can_fetch, .. } = error else { panic!("{error:?}") };
    // What this build cannot do is not suggested.
    assert_eq!((folder, can_fetch), (Some("mnist"), cfg!(feature = "fetch")));
    fs::create_dir(dir.path().join("mnist")).unwrap();
    fs::write(dir.path().join("mnist/train-images-idx3-ubyte"), idx(8, &[1, 1, 1], &[0])).unwrap();
    let error = open("mnist", &options).unwrap_err();
    assert!(matches!(error, DataError::MissingFile { .. }), "{error:?}");
    assert!(error.to_string().contains("'train-labels-idx1-ubyte' was not found in"), "{error}");
    let error = open("minst", &options).unwrap_err();
    assert!(matches!(&error, DataError::Missing { nearest: Some(near), .. } if near == "mnist"));
    assert!(error.to_string().ends_with("did you mean 'mnist'?"), "{error}");
    let text = open("no/such/file.csv", &options).unwrap_err().to_string();
    assert!(text.contains("no/such/file.csv") && text.contains("mnist"), "{text}");
    let path = dir.path().join("what.xyz");
    fs::write(&path, "?").unwrap();
    let text = open(path.to_str().unwrap(), &options).unwrap_err().to_string();
    assert!(text.contains("unknown format") && text.contains(".npz"), "{text}");
}

#[test]
fn carved_splits_follow_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let rows: String = (0..100).map(|i| format!("{i},0.5\n")).collect();
    fs::write(&path, rows).unwrap();
    let seeded = |seed| {
        open(path.to_str().unwrap(), &OpenOptions { seed, ..OpenOptions::default() }).unwrap()
    };
    assert_eq!(seeded(1).fingerprint(), seeded(1).fingerprint());
    assert_ne!(seeded(1).fingerprint(), seeded(2).fingerprint());
    assert_eq!(seeded(1).len(SplitName::Test), 10);
}

#[test]
fn numpy_arrays_of_other_kinds() {
    let dir = tempfile::tempdir().unwrap();
    // 1, −2, 0.5, 2⁻²⁴, 65504 and −0 in half precision.
    let halves: Vec<u8> = [0x3c00u16, 0xc000, 0x3800, 1, 0x7bff, 0x8000]
        .iter()
        .flat_map(|h| h.to_le_bytes())
        .collect();
    let data = read(dir.path(), "a.npy", &common::npy("<f2", false, "(3, 2)", &halves)).unwrap();
    assert_eq!(reals(&data), [1.0, -2.0, 0.5, 2f64.powi(-24), 65504.0, 0.0]);
    // Minus zero is shown and compared as zero.
    assert!(ancestral_data::describe(&data).splits[0].minimum == -2.0);
    let zero = common::npy("<f2", false, "(3,)", &[0, 0x80, 0, 0x80, 0, 0x38]);
    let shown = ancestral_data::describe(&read(dir.path(), "z.npy", &zero).unwrap());
    assert_eq!(shown.splits[0].minimum.to_string(), "0");
    refused(
        read(dir.path(), "b.npy", &common::npy("<f2", false, "(1,)", &[0, 0x7c])),
        "b.npy",
        &["inf; expected a finite number"],
    );
    // Both ends could be the channels.
    let both = common::npy("|u1", false, "(1, 3, 8, 3)", &[7; 72]);
    let data = read(dir.path(), "c.npy", &both).unwrap();
    assert!(data.notes[0].contains("images of 3×8 pixels with 3 channels"), "{:?}", data.notes);
    let data = read(dir.path(), "c.npz", &common::npz(&[("x", both)])).unwrap();
    assert!(data.notes[0].contains("images of 3×8 pixels"), "{:?}", data.notes);
}

#[test]
fn two_members_of_one_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let array = |value| common::npy("|u1", false, "(2, 2)", &[value; 4]);
    let bytes = common::npz(&[("x", array(1)), ("z", array(2))]);
    // The second one takes the name of the first.
    let renamed: Vec<u8> = {
        let mut bytes = bytes.clone();
        for at in 0..bytes.len() - 5 {
            if &bytes[at..at + 5] == b"z.npy" {
                bytes[at] = b'x';
            }
        }
        bytes
    };
    assert!(read(dir.path(), "good.npz", &bytes).is_ok());
    refused(read(dir.path(), "two.npz", &renamed), "two.npz", &["two members have the same name"]);
}
