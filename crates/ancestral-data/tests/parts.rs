//! Tables that are read in parts: the same rows, columns, classes and notes as read whole.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use ancestral_data::{
    DataError, Dataset, Held, OpenOptions, Opened, SplitName, TextOptions, Values, open,
    open_in_parts,
};
use common::{gz, npy};

fn options() -> OpenOptions {
    OpenOptions { whole: true, pipe: true, ..OpenOptions::default() }
}

fn values(data: &Dataset) -> (Vec<f64>, Vec<u32>) {
    let split = data.split(SplitName::Train).unwrap();
    let values = match &split.values {
        Values::Reals(v) => v.clone(),
        Values::Bytes(v) => v.iter().map(|&x| x.into()).collect(),
    };
    (values, split.labels.clone().unwrap_or_default())
}

/// What is known of a data set beside its rows.
fn known(data: &Dataset) -> String {
    format!(
        "{} {} {:?} {:?} {:?} {:?}",
        data.domain, data.shape, data.class_names, data.column_names, data.columns, data.notes
    )
}

fn in_parts(path: &str, options: &OpenOptions, entries: usize) -> Result<Opened, DataError> {
    let folder = std::env::temp_dir();
    open_in_parts(path, options, &Held { entries, folder })
}

/// Reads a table whole and in parts of three rows, twice, and compares.
#[track_caller]
fn same(name: &str, text: impl AsRef<[u8]>, options: &OpenOptions) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let whole = open(path, options).unwrap();
    let Opened::Parts(mut parts) = in_parts(path, options, 10).unwrap() else {
        panic!("{name} was held")
    };
    for _ in 0..2 {
        let (mut all, mut labels) = (Vec::new(), Vec::new());
        while let Some(part) = parts.next_rows(3).unwrap() {
            assert_eq!(known(&part), known(&whole), "{name}");
            let (values, of) = values(&part);
            assert!(values.len() <= 3 * part.shape.size());
            all.extend(values);
            labels.extend(of);
        }
        assert_eq!((all, labels), values(&whole), "{name}");
        assert_eq!(parts.len(), whole.len(SplitName::Train));
        assert!(parts.next_rows(3).unwrap().is_none());
        parts.restart();
    }
}

fn rows(header: &str, row: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (0..50).map(row).collect();
    format!("{header}{}\n", rows.join("\n"))
}

#[test]
fn parts_of_a_table_are_the_table() {
    let plain = options();
    let reals = rows("a,b\n", |i| format!("{},{}.5", i * 7 % 11, i));
    same("reals.csv", &reals, &plain);
    same("reals.csv.gz", gz(reals.as_bytes()), &plain);
    same("blanks.txt", reals.replace(',', "  "), &plain);
    same("bits.csv", rows("a,b\n", |i| format!("{},{}", i % 2, i / 3 % 2)), &plain);
    // What the last row shows holds of all of them.
    same("late.csv", rows("a,b\n", |i| format!("{},{}", i % 2, i / 49 * 3)), &plain);
    let words = ["pear", "fig", "apple", "kiwi"];
    same("words.csv", rows("a,b\n", |i| format!("{},{}", words[i / 15], i % 3)), &plain);
    same("two_words.csv", rows("a,b\n", |i| format!("{},{}", words[i / 40], i % 2)), &plain);
    let text = "a,b\n\n# one\n".to_owned() + &rows("", |i| format!("{i},\"{}\"", words[i % 4]));
    same("quoted.csv", text, &plain);
    same("latin.csv", rows("a,b\n", |i| format!("{i},x")).replace("x\n", "\u{e9}\n"), &plain);
    // Indices and names of rows, folds.
    same("index.csv", rows(",a,b\n", |i| format!("{},{},{}", 49 - i, i % 5, i)), &plain);
    same("names.csv", rows("a,b\n", |i| format!("r{i},{},{}", i % 5, i)), &plain);
    same("fold.csv", rows("a,fold,b\n", |i| format!("{i},{},{i}", i % 5)), &plain);
    // Classes: words, numbers, numbers that are none.
    same("classes.csv", rows("a,class\n", |i| format!("{i},{}", words[i / 15])), &plain);
    same("numbers.csv", rows("a,label\n", |i| format!("{i},{}.0", 12 - i / 5)), &plain);
    same("both.csv", rows("target,a\n", |i| format!("{},{i}", i % 3 * 9)), &plain);
    same("values.csv", rows("a,target,b\n", |i| format!("{i},{}.25,{i}", i % 9)), &plain);
    same("ids.csv", rows("a,target,b\n", |i| format!("{},{i},1", i % 2)), &plain);
    let left = OpenOptions { no_labels: true, ..options() };
    same("left.csv", rows("a,class,b\n", |i| format!("{i},{},2", words[i / 15])), &left);
    // Shapes and domains that are asked for.
    let image = OpenOptions { image_shape: Some([3, 2, 1]), ..options() };
    same("image.csv", rows("a,b,c,d,e,f\n", |i| format!("1,2,3,4,5,{i}")), &image);
    let levels = OpenOptions { levels: Some(64), ..options() };
    same("levels.csv", rows("a,b\n", |i| format!("{i},{}", i % 7)), &levels);
    let real = OpenOptions { real: true, ..options() };
    same("real.csv", rows("a,b\n", |i| format!("{},{}", i % 2, i / 3 % 2)), &real);
    let text = TextOptions { decimal: Some(','), ..TextOptions::default() };
    let comma = OpenOptions { text, ..options() };
    same("comma.csv", rows("a;b\n", |i| format!("{i},5;{i}")), &comma);
}

#[test]
fn parts_of_an_array_are_the_array() {
    let plain = options();
    let reals: Vec<u8> = (0..60).flat_map(|i| (i as f32 / 4.0).to_le_bytes()).collect();
    same("reals.npy", npy("<f4", false, "(20, 3)", &reals), &plain);
    same("reals.npy.gz", gz(&npy("<f4", false, "(20, 3)", &reals)), &plain);
    let bytes: Vec<u8> = (0..96).map(|i| i * 2).collect();
    same("images.npy", npy("|u1", false, "(8, 2, 2, 3)", &bytes), &plain);
    same("gray.npy", npy("|u1", false, "(24, 2, 2)", &bytes), &plain);
    let image = OpenOptions { image_shape: Some([3, 2, 2]), ..options() };
    same("rows.npy", npy("|u1", false, "(8, 12)", &bytes), &image);
    let bits: Vec<u8> = (0..60).map(|i| i % 2).collect();
    same("bits.npy", npy("|b1", false, "(30, 2)", &bits), &plain);
    let late: Vec<u8> = (0..60u8).map(|i| i / 59 * 7).collect();
    same("late.npy", npy("|u1", false, "(30, 2)", &late), &plain);
    let whole: Vec<u8> = (0..60i16).flat_map(|i| (i - 9).to_be_bytes()).collect();
    same("ints.npy", npy(">i2", false, "(60,)", &whole), &plain);
    // Errors: too short, too long, not a number.
    let mut odd = reals.clone();
    odd[200..204].copy_from_slice(&f32::NAN.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("short", reals[..230].to_vec()),
        ("long", [reals.clone(), vec![0; 9]].concat()),
        ("odd", odd),
    ] {
        let path = dir.path().join(format!("{name}.npy"));
        fs::write(&path, npy("<f4", false, "(20, 3)", &bytes)).unwrap();
        let path = path.to_str().unwrap();
        let whole = open(path, &plain).unwrap_err().to_string();
        assert_eq!(in_parts(path, &plain, 10).unwrap_err().to_string(), whole, "{name}");
    }
    let path = dir.path().join("fortran.npy");
    fs::write(&path, npy("<f4", true, "(20, 3)", &reals)).unwrap();
    let opened = in_parts(path.to_str().unwrap(), &plain, 10);
    assert!(matches!(opened, Ok(Opened::Whole(_))));
}

#[test]
fn errors_are_those_of_the_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, String, OpenOptions); 7] = [
        ("gap", rows("a,b\n", |i| format!("{i},{}", if i == 40 { "" } else { "1" })), options()),
        ("word", rows("a,b\n", |i| format!("{i},{}", if i == 40 { "x" } else { "1" })), options()),
        (
            "width",
            rows("a,b\n", |i| if i == 40 { "1".into() } else { format!("{i},1") }),
            options(),
        ),
        ("index", rows(",a,b\n", |i| format!("{},{i},2", i % 2)), options()),
        ("two", rows("label,class\n", |i| format!("{},{}", i % 2, i % 3)), options()),
        (
            "levels",
            rows("a,b\n", |i| format!("{i},1")),
            OpenOptions { levels: Some(8), ..options() },
        ),
        (
            "image",
            rows("a,b\n", |i| format!("{i},1")),
            OpenOptions { image_shape: Some([1, 2, 2]), ..options() },
        ),
    ];
    for (name, text, options) in cases {
        let path = dir.path().join(format!("{name}.csv"));
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let whole = open(path, &options).unwrap_err().to_string();
        let parts = in_parts(path, &options, 10).unwrap_err().to_string();
        assert_eq!(parts, whole, "{name}");
    }
}

#[test]
fn small_tables_and_other_data_are_held() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, rows("a,b\n", |i| format!("{i},1"))).unwrap();
    let path = path.to_str().unwrap();
    for (name, options, entries) in [
        (path, options(), 100),
        ("digits", options(), 10),
        (path, OpenOptions { whole: false, ..options() }, 10),
    ] {
        assert!(matches!(in_parts(name, &options, entries), Ok(Opened::Whole(_))), "{name}");
    }
}

#[test]
fn a_file_that_changes_between_the_readings_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let write = |text: String| fs::write(&path, text).unwrap();
    let text = rows("a,b\n", |i| format!("{i},{}", ["x", "y"][i % 2]));
    for changed in [
        rows("a,b\n", |i| format!("{i},{}", ["x", "y", "z"][i % 3])),
        "a,b\n1,x\n2,y\n".to_owned(),
        text.clone() + "50,x\n",
        String::new(),
    ] {
        write(text.clone());
        let Opened::Parts(mut parts) = in_parts(path.to_str().unwrap(), &options(), 10).unwrap()
        else {
            panic!("it was held")
        };
        write(changed);
        let failed = std::iter::repeat_with(|| parts.next_rows(7)).find_map(|part| match part {
            Ok(Some(_)) => None,
            Ok(None) => panic!("the change was not seen"),
            Err(error) => Some(error),
        });
        assert!(failed.is_some());
    }
}

/// A pipe gives its bytes once; they are kept in memory or in a file without a name.
#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // One below and one above 16 MiB.
    for width in [10, 400_000] {
        let text = rows("a,b\n", |i| format!("{i},{}{}", "0".repeat(width), i % 7));
        let (to, sent) = (pipe.clone(), text.clone());
        let writer = std::thread::spawn(move || fs::write(to, sent).unwrap());
        let kept = dir.path().join("kept");
        fs::create_dir_all(&kept).unwrap();
        let held = Held { entries: 10, folder: kept.clone() };
        let name = pipe.to_str().unwrap();
        let Opened::Parts(mut parts) = open_in_parts(name, &options(), &held).unwrap() else {
            panic!("it was held")
        };
        writer.join().unwrap();
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 0, "a file has a name");
        for _ in 0..2 {
            let mut all = Vec::new();
            while let Some(part) = parts.next_rows(20).unwrap() {
                all.extend(values(&part).0);
            }
            let right: Vec<f64> = (0..50).flat_map(|i| [f64::from(i), f64::from(i % 7)]).collect();
            assert_eq!(all, right);
            parts.restart();
        }
    }
    assert!(Path::new(&pipe).exists());
}

/// Grey and colored images of classes, one of them turned by its folder's name only.
#[test]
fn a_folder_of_images_is_read_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let image = |i: u32| {
        let pixel = |x, y| image::Rgb([(40 * i + x) as u8, (7 * y) as u8, i as u8]);
        image::RgbImage::from_fn(4, 3, pixel)
    };
    for (class, i) in [("10", 0), ("9", 1), ("10", 2), ("9", 3), ("9", 4)] {
        let folder = dir.path().join(class);
        fs::create_dir_all(&folder).unwrap();
        image(i).save(folder.join(format!("{i}.png"))).unwrap();
    }
    fs::write(dir.path().join("9/readme.txt"), "no image").unwrap();
    let path = dir.path().to_str().unwrap();
    let check = |options: &OpenOptions| {
        let whole = open(path, options).unwrap();
        let Opened::Parts(mut parts) = in_parts(path, options, 30).unwrap() else {
            panic!("it was held")
        };
        assert_eq!(parts.len(), whole.len(SplitName::Train));
        for _ in 0..2 {
            let (mut all, mut labels) = (Vec::new(), Vec::new());
            while let Some(part) = parts.next_rows(2).unwrap() {
                assert_eq!(known(&part), known(&whole));
                let (values, of) = values(&part);
                assert!(values.len() <= 2 * part.shape.size());
                all.extend(values);
                labels.extend(of);
            }
            assert_eq!((all, labels), values(&whole));
            parts.restart();
        }
    };
    check(&options());
    check(&OpenOptions { no_labels: true, ..options() });
    check(&OpenOptions { gray: true, resize: Some((5, 6)), ..options() });
    assert!(matches!(in_parts(path, &options(), 1000), Ok(Opened::Whole(_))));
    // An image that changes its size between the two readings.
    let Opened::Parts(mut parts) = in_parts(path, &options(), 30).unwrap() else { panic!("held") };
    image::RgbImage::new(2, 2).save(dir.path().join("9/4.png")).unwrap();
    assert_eq!(parts.next_rows(4).unwrap().unwrap().notes.len(), 1);
    let error = parts.next_rows(4).unwrap_err().to_string();
    assert!(error.contains("changed"), "{error}");
    let error = in_parts(path, &options(), 30).unwrap_err();
    assert!(matches!(error, DataError::ImageSize { size: [2, 2], .. }), "{error}");
}
