//! The layouts that data sets are published in: their files and the content of each.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::format::{Labels, Loaded, Stream, assemble};
use crate::format::{cifar, idx, images, text};
use crate::options::OpenOptions;
use crate::special::read_plain;
use crate::{DataError, Dataset, SplitName};

/// The path of the file, or of the file with `.gz`, if one exists.
pub(crate) fn with_or_without_gz(path: PathBuf) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path);
    }
    let mut packed = path.into_os_string();
    packed.push(".gz");
    Some(PathBuf::from(packed)).filter(|p| p.is_file())
}

pub(crate) fn expect_file(path: PathBuf) -> Result<PathBuf, DataError> {
    with_or_without_gz(path.clone()).ok_or_else(|| DataError::MissingFile {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        folder: path.parent().unwrap_or(Path::new(".")).to_owned(),
    })
}

/// An IDX file with the labels in the same folder, under the usual names.
pub(crate) fn idx_with_labels(path: &Path) -> Result<Loaded, DataError> {
    let loaded = idx::read(&mut Stream::open(path)?)?.into_loaded(path)?;
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    if !plain.contains("images") {
        return Ok(loaded);
    }
    let labels = plain.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    for candidate in [labels.clone(), labels.replace("-ubyte", "-short")] {
        if let Some(file) = with_or_without_gz(path.with_file_name(candidate)) {
            return loaded.with_labels(read_labels(&file)?);
        }
    }
    Ok(loaded)
}

pub(crate) fn read_labels(path: &Path) -> Result<Labels, DataError> {
    idx::read(&mut Stream::open(path)?)?.into_labels(path)
}

pub(crate) fn images_and_labels(images: PathBuf, labels: PathBuf) -> Result<Loaded, DataError> {
    let (images, labels) = (expect_file(images)?, expect_file(labels)?);
    let loaded = idx::read(&mut Stream::open(&images)?)?.into_loaded(&images)?;
    loaded.with_labels(read_labels(&labels)?)
}

/// The four files of MNIST; the last `valid` training examples are kept for validation.
pub(crate) fn mnist(
    name: &str,
    folder: &Path,
    valid: usize,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let part = |prefix: &str| {
        // Some programs unpack -idx3-ubyte.gz as .idx3-ubyte.
        let file = |what: &str| {
            let dotted = folder.join(format!("{prefix}-{}", what.replacen('-', ".", 1)));
            match with_or_without_gz(dotted.clone()) {
                Some(_) => dotted,
                None => folder.join(format!("{prefix}-{what}")),
            }
        };
        images_and_labels(file("images-idx3-ubyte"), file("labels-idx1-ubyte"))
    };
    let mut splits = Vec::new();
    split_train(part("train")?, valid, &mut splits)?;
    splits.push((SplitName::Test, part("t10k")?));
    // Gray images have 256 levels, even if a subset uses few of them.
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    assemble(name, splits, &options)
}

pub(crate) fn split_train(
    train: Loaded,
    valid: usize,
    splits: &mut Vec<(SplitName, Loaded)>,
) -> Result<(), DataError> {
    if valid == 0 {
        splits.push((SplitName::Train, train));
    } else {
        let (train, valid) = train.split_last(valid)?;
        splits.push((SplitName::Train, train));
        splits.push((SplitName::Valid, valid));
    }
    Ok(())
}

/// `STEM_train.amat` and the other splits.
pub(crate) fn amat(
    name: &str,
    folder: &Path,
    stem: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    text_splits(name, folder, |split| format!("{stem}_{split}.amat"), true, options)
}

/// `NAME.train.data` and the other splits.
pub(crate) fn density(
    name: &str,
    folder: &Path,
    stem: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    text_splits(name, folder, |split| format!("{stem}.{split}.data"), false, options)
}

pub(crate) fn text_splits(
    name: &str,
    folder: &Path,
    file: impl Fn(SplitName) -> String,
    square: bool,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let mut splits = Vec::new();
    for split in [SplitName::Train, SplitName::Valid, SplitName::Test] {
        let path = folder.join(file(split));
        let path = match split {
            SplitName::Train => expect_file(path)?,
            // The others can be split off.
            _ => match with_or_without_gz(path) {
                Some(path) => path,
                None => continue,
            },
        };
        let loaded = text::read(&mut Stream::open(&path)?)?;
        splits.push((split, if square { text::squared(loaded) } else { loaded }));
    }
    assemble(name, splits, options)
}

/// The batches of CIFAR-10; the last `valid` training examples are kept for validation.
pub(crate) fn cifar_folder(
    name: &str,
    folder: &Path,
    valid: usize,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))? {
        let entry = entry.map_err(|e| DataError::io("list", folder, e))?;
        names.extend(entry.file_name().to_str().map(str::to_owned));
    }
    let note = images::check_batches(folder, &names)?;
    let mut batches = Vec::new();
    for i in 1..=5 {
        if let Some(file) = with_or_without_gz(folder.join(format!("data_batch_{i}.bin"))) {
            batches.push(cifar::read(&mut Stream::open(&file)?)?);
        }
    }
    let train = match cifar::join(batches) {
        Some(train) => train,
        None => cifar::read(&mut Stream::open(&expect_file(folder.join("data_batch_1.bin"))?)?)?,
    };
    let mut splits = Vec::new();
    split_train(train, valid, &mut splits)?;
    if let Some(file) = with_or_without_gz(folder.join("test_batch.bin")) {
        splits.push((SplitName::Test, cifar::read(&mut Stream::open(&file)?)?));
    }
    let mut data = cifar_set(name, splits, options)?;
    data.notes.extend(note);
    Ok(data)
}

pub(crate) fn cifar_set(
    name: &str,
    splits: Vec<(SplitName, Loaded)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    assemble(name, splits, &options)
}

/// Omniglot's drawings: the background alphabets are for training, the evaluation alphabets for
/// testing, and their classes are numbered after the others, since the sets share none.
pub(crate) fn omniglot(
    name: &str,
    folder: &Path,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let mut splits = Vec::new();
    let mut classes: Vec<String> = Vec::new();
    for (split, part) in [(SplitName::Train, "background"), (SplitName::Test, "evaluation")] {
        let mut loaded = images_and_labels(
            folder.join(format!("derived-28x28-{part}-images-idx3-ubyte")),
            folder.join(format!("derived-28x28-{part}-labels-idx1-short")),
        )?;
        let names = expect_file(folder.join(format!("{part}-classes.txt")))?;
        let text = read_plain(&names)?;
        let text = String::from_utf8_lossy(&text);
        let before = classes.len();
        // A line is the number, the alphabet and the character.
        classes.extend(
            text.lines().map(|line| line.split('\t').skip(1).collect::<Vec<_>>().join("/")),
        );
        if let Some(labels) = &mut loaded.labels {
            let place = |name: &String| {
                let at = name.parse::<usize>().ok()?.checked_add(before)?;
                (at < classes.len()).then_some(at as u32)
            };
            let places: Option<Vec<u32>> = labels.names.iter().map(place).collect();
            let places = places.ok_or_else(|| {
                DataError::malformed(
                    &loaded.path,
                    "labels",
                    format!("a class beyond the {} of {part}-classes.txt", classes.len() - before),
                )
            })?;
            labels.numbers.iter_mut().for_each(|n| *n = places[*n as usize]);
        }
        splits.push((split, loaded));
    }
    for labels in splits.iter_mut().filter_map(|(_, loaded)| loaded.labels.as_mut()) {
        labels.names.clone_from(&classes);
        labels.official = true;
    }
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    assemble(name, splits, &options)
}

/// Reads CIFAR-10 from its folder in the data folder: unpacked, or the published archive.
pub(crate) fn cifar10(
    name: &str,
    folder: &Path,
    valid: usize,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    for inner in [folder.to_owned(), folder.join("cifar-10-batches-bin")] {
        if inner.join("data_batch_1.bin").is_file() {
            return cifar_folder(name, &inner, valid, options);
        }
    }
    let tar = expect_file(folder.join("cifar-10-binary.tar"))?;
    let data = images::read_tars(name, vec![(None, Stream::open(&tar)?)], options)?;
    data.with_last_as_valid(valid)
}
