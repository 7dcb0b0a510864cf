//! The published files, in the data folder or beside the project; else the test says that it is
//! skipped.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use ancestral_data::{Dataset, Domain, OpenOptions, SplitName, Values, open};
use ancestral_test_support::data_dir_with;

/// A known set, whose folder in the data folder may be missing as a whole.
fn by_name(name: &str, folder: &str, all_train: bool) -> Option<Dataset> {
    let data_dir = Some(data_dir_with(folder)?);
    let options = OpenOptions { data_dir, all_train, ..OpenOptions::default() };
    Some(open(name, &options).unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn counts(data: &Dataset) -> [usize; 3] {
    [SplitName::Train, SplitName::Valid, SplitName::Test].map(|split| data.len(split))
}

fn mean(data: &Dataset, split: SplitName) -> f64 {
    match &data.split(split).unwrap().values {
        Values::Bytes(v) => v.iter().map(|&x| f64::from(x)).sum::<f64>() / v.len() as f64,
        Values::Reals(v) => v.iter().sum::<f64>() / v.len() as f64,
    }
}

#[test]
fn mnist() {
    let Some(data) = by_name("mnist", "mnist", false) else { return };
    assert_eq!(counts(&data), [50_000, 10_000, 10_000]);
    assert_eq!((data.shape.dims(), data.domain), (&[1, 28, 28][..], Domain::Levels(256)));
    let labels = data.split(SplitName::Train).unwrap().labels.clone().unwrap();
    assert_eq!(labels[..5], [5, 0, 4, 1, 9]);
    let Some(all) = by_name("mnist", "mnist", true) else { return };
    assert_eq!(counts(&all), [60_000, 10_000, 10_000]);
    // The well-known mean of the training images.
    assert!((mean(&all, SplitName::Train) / 255.0 - 0.1307).abs() < 1e-4);
}

#[test]
fn fashion_mnist() {
    let Some(data) = by_name("fashion-mnist", "fashion-mnist", true) else { return };
    assert_eq!(counts(&data), [60_000, 10_000, 10_000]);
    assert_eq!(data.class_names[9], "Ankle boot");
    assert!((mean(&data, SplitName::Train) / 255.0 - 0.2860).abs() < 1e-4);
}

#[test]
fn binarized_mnist() {
    let Some(data) = by_name("binarized-mnist", "binarized-mnist", false) else { return };
    assert_eq!(counts(&data), [50_000, 10_000, 10_000]);
    assert_eq!((data.shape.dims(), data.domain), (&[1, 28, 28][..], Domain::Binary));
    let share = mean(&data, SplitName::Test);
    assert!((share - 0.1325).abs() < 2e-3, "{share}");
}

#[test]
fn omniglot() {
    let Some(data) = by_name("omniglot", "omniglot", false) else { return };
    assert_eq!(counts(&data), [17_352, 1_928, 13_180]);
    assert_eq!((data.classes(), data.class_names.len()), (964 + 659, 964 + 659));
    assert_eq!(data.class_names[0], "Alphabet_of_the_Magi/character01");
    let test = data.split(SplitName::Test).unwrap().labels.clone().unwrap();
    assert_eq!(test.iter().min(), Some(&964));
}

#[test]
fn density_sets() {
    for (name, columns, expected) in [
        ("adult", 123, [5_000, 1_414, 26_147]),
        ("dna", 180, [1_400, 600, 1_186]),
        ("mushrooms", 112, [2_000, 500, 5_624]),
        ("nltcs", 16, [16_181, 2_157, 3_236]),
        ("plants", 69, [17_412, 2_321, 3_482]),
    ] {
        let folder = format!("density_estimation/{name}");
        let Some(data) = by_name(name, &folder, false) else { continue };
        assert_eq!((counts(&data), data.shape.dims()), (expected, &[columns][..]), "{name}");
        assert_eq!(data.domain, Domain::Binary);
    }
}

#[test]
fn red_wine() {
    let Some(dir) = data_dir_with("red_wine") else { return };
    for fold in 1..=10 {
        let options =
            OpenOptions { data_dir: Some(dir.clone()), fold: Some(fold), ..OpenOptions::default() };
        let data = open("red-wine", &options).unwrap();
        assert_eq!((data.domain, data.shape.dims()), (Domain::Real, &[11][..]));
        let last = |of: u32| if of == 10 { 168 } else { 159 };
        let (test, valid) = (last(fold), last(fold % 10 + 1));
        assert_eq!(counts(&data), [1599 - valid - test, valid, test], "fold {fold}");
        if fold == 1 {
            let Values::Reals(v) = &data.split(SplitName::Test).unwrap().values else { panic!() };
            assert_eq!(v[..3], [6.9, 0.635, 0.17]);
        }
    }
    let options = OpenOptions { data_dir: Some(dir), fold: Some(11), ..OpenOptions::default() };
    let text = open("red-wine", &options).unwrap_err().to_string();
    assert!(text.contains("no fold 11") && text.contains("9, 10"), "{text}");
}

#[test]
fn by_path() {
    let whole = OpenOptions { whole: true, ..OpenOptions::default() };
    let at = |path: &str| {
        let folder = Path::new(path).parent().unwrap();
        let file = data_dir_with(folder.to_str().unwrap())?.join(path);
        Some(open(file.to_str().unwrap(), &whole).unwrap())
    };
    if let Some(data) = at("mnist/t10k-images-idx3-ubyte.gz") {
        assert_eq!(data.len(SplitName::Train), 10_000);
        assert_eq!(data.split(SplitName::Train).unwrap().labels.as_ref().unwrap()[..3], [7, 2, 1]);
    }
    if let Some(data) = at("emoji/derived-twemoji-rgb32-idx4-ubyte.gz") {
        assert_eq!((data.len(SplitName::Train), data.shape.dims()), (2641, &[3, 32, 32][..]));
    }
    if let Some(data) = at("red_wine/red_wine_folds.csv") {
        assert_eq!((data.len(SplitName::Train), data.domain), (1599, Domain::Real));
    }
    if let Some(data) = at("cifar10_jpeg/test.tar.gz") {
        assert_eq!((data.len(SplitName::Train), data.shape.dims()), (10_000, &[3, 32, 32][..]));
    }
}
