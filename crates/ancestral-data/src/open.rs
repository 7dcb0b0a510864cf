//! Opening a data set by name or by path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::format::{Loaded, Stream, assemble};
use crate::format::{cifar, idx, npy, pictures, table, text};
use crate::known::{self, data_dirs};
use crate::names;
use crate::toys::Toy;
use crate::{DataError, Dataset, SplitName, digits};

/// How to open a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// Where known sets are looked for; else `ANCESTRAL_DATA`, else the platform's data folder.
    pub data_dir: Option<PathBuf>,
    /// Decides which examples are carved off where there is no official split.
    pub seed: u64,
    /// Brings pictures of a folder or tar to this height and width.
    pub resize: Option<(usize, usize)>,
    /// Reads pictures of a folder or tar without colour.
    pub grey: bool,
    /// What transparent pixels of a folder's or tar's pictures show; without one they are refused.
    pub background: Option<Background>,
    /// Trains on the whole official training set; validation examples stay part of it.
    pub all_train: bool,
    /// Splits a table by its column `fold`: the rows of this fold are the test split, those of the
    /// next one (after the last comes the first) are for validation, and the rest are for training,
    /// all in file order. The column itself is never an entry of the examples, asked for or not.
    pub fold: Option<u32>,
    /// Leaves a set that has no official splits whole, as training examples in file order; a lone
    /// validation or test split counts as such.
    pub whole: bool,
    /// Reads the columns of a table as an image `[channels, height, width]`.
    pub image_shape: Option<[usize; 3]>,
    /// How many levels the values have, 2 to 256, where the file cannot tell.
    pub levels: Option<u32>,
    /// Takes every value as a real, whole numbers too.
    pub real: bool,
}

/// What lies behind transparent pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// As paper.
    White,
    /// As a dark screen.
    Black,
}

impl FromStr for Background {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "white" => Ok(Self::White),
            "black" => Ok(Self::Black),
            other => Err(DataError::Unsuitable(format!(
                "no background '{other}'; choose white or black"
            ))),
        }
    }
}

impl OpenOptions {
    /// The levels of byte images, which a few dark ones do not show, unless asked otherwise.
    pub(crate) fn or_bytes(&self) -> Option<u32> {
        self.levels.or((!self.real).then_some(256))
    }
}

/// Opens a data set by its known name or by the path of a file or folder.
///
/// A name goes before a path; `./mnist` is always a path.
/// Official splits are used where they exist, missing ones are carved from the training examples
/// by seed.
///
/// # Errors
/// If there is no such data, or it is not what its format says it must be.
pub fn open(name_or_path: &str, options: &OpenOptions) -> Result<Dataset, DataError> {
    let data = if name_or_path == "digits" {
        refuse_picture_options(name_or_path, options)?;
        refuse_fold(name_or_path, options)?;
        digits()?
    } else if let Some(toy) = Toy::parse(name_or_path) {
        refuse_picture_options(name_or_path, options)?;
        refuse_fold(name_or_path, options)?;
        toy?.open(name_or_path)?
    } else if let Some(set) = known::find(name_or_path) {
        refuse_picture_options(name_or_path, options)?;
        set.open(options)?
    } else {
        open_path(name_or_path, options)?
    };
    let data = if options.whole && data.split(SplitName::Test).is_err() {
        data
    } else {
        data.with_splits(options.seed)?
    };
    Ok(if options.all_train { data.with_valid_in_train() } else { data })
}

fn refuse_picture_options(name: &str, options: &OpenOptions) -> Result<(), DataError> {
    if options.resize.is_some() || options.grey || options.background.is_some() {
        return Err(DataError::Unsuitable(format!(
            "{name}: a size, a background and dropping colour are for folders and tars of pictures"
        )));
    }
    Ok(())
}

/// For data that has no folds.
pub(crate) fn refuse_fold(name: &str, options: &OpenOptions) -> Result<(), DataError> {
    match options.fold {
        None => Ok(()),
        Some(fold) => Err(DataError::Unsuitable(format!(
            "{name}: fold {fold} was asked for, but this data has no folds; they are given by a \
             CSV column named fold that holds whole numbers"
        ))),
    }
}

fn open_path(given: &str, options: &OpenOptions) -> Result<Dataset, DataError> {
    let path = Path::new(given);
    if !path.exists() {
        return Err(DataError::Missing {
            name: given.to_owned(),
            looked_in: if path.is_absolute() {
                path.display().to_string()
            } else {
                std::env::current_dir().unwrap_or_default().join(path).display().to_string()
            },
            hint: match names::nearest(given, &known::names()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("give a file, a folder, or one of {}", known::names().join(", ")),
            },
        });
    }
    if path.is_dir() {
        return open_folder(given, path, options);
    }
    let full = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let plain = full.strip_suffix(".gz").unwrap_or(&full);
    let extension = plain.rsplit_once('.').map_or("", |(_, e)| e);
    if matches!(extension, "tar" | "tgz") {
        let tars = vec![(None, Stream::open(path)?)];
        return pictures::read_tars(given, tars, options);
    }
    if pictures::is_picture(path) {
        let bytes = std::fs::read(path).map_err(|e| DataError::io("read", path, e))?;
        let picture = pictures::decode(&bytes, path, options)?;
        return pictures::assemble(given, vec![(full.into(), picture)], options);
    }
    refuse_picture_options(given, options)?;
    let train = match extension {
        "csv" | "tsv" => return table::read(Stream::open(path)?)?.into_dataset(given, options),
        "amat" => text::squared(text::read(&mut Stream::open(path)?)?),
        "data" | "txt" => text::read(&mut Stream::open(path)?)?,
        "npy" => npy::read(&mut Stream::open(path)?)?.into_loaded(path)?,
        "npz" => {
            let file = std::fs::File::open(path).map_err(|e| DataError::io("read", path, e))?;
            return assemble(given, npy::read_npz(std::io::BufReader::new(file), path)?, options);
        }
        "bin" => {
            let batch = cifar::read(&mut Stream::open(path)?)?;
            return cifar_set(given, vec![(SplitName::Train, batch)], options);
        }
        _ if plain.contains("ubyte") || plain.contains("-idx") || plain.ends_with("idx") => {
            idx_with_labels(path)?
        }
        _ => {
            return Err(DataError::Unsuitable(format!(
                "{given}: no known format; expected a name with -ubyte or .idx, .amat, .data, \
                 .npy, .npz, .csv, .tsv (each also with .gz, but for .npz), .tar, .tgz, .bin, \
                 .png or .jpg, or a folder"
            )));
        }
    };
    assemble(given, vec![(SplitName::Train, train)], options)
}

/// What a folder holds is told by the names in it.
fn open_folder(given: &str, folder: &Path, options: &OpenOptions) -> Result<Dataset, DataError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))? {
        let entry = entry.map_err(|e| DataError::io("list", folder, e))?;
        names.extend(entry.file_name().to_str().map(str::to_owned));
    }
    names.sort();
    // The common part of NAME.train.data and its like.
    let stem = |end: &str| {
        names
            .iter()
            .find_map(|n| n.strip_suffix(".gz").unwrap_or(n).strip_suffix(end).map(str::to_owned))
    };
    let has = |name: &str| {
        names.iter().any(|n| n == name || n.strip_suffix(".gz").is_some_and(|n| n == name))
    };
    let tars: Vec<(SplitName, &String)> = names
        .iter()
        .filter_map(|n| {
            let plain = n.strip_suffix(".gz").unwrap_or(n);
            let split = plain.strip_suffix(".tar").or_else(|| plain.strip_suffix(".tgz"))?;
            Some((split.parse().ok()?, n))
        })
        .collect();
    if let Some(stem) = stem(".train.data") {
        refuse_picture_options(given, options)?;
        density(given, folder, &stem, options)
    } else if let Some(stem) = stem("_train.amat") {
        refuse_picture_options(given, options)?;
        amat(given, folder, &stem, options)
    } else if has("train-images-idx3-ubyte") {
        refuse_picture_options(given, options)?;
        mnist(given, folder, 0, options)
    } else if names.iter().any(|n| pictures::is_batch(n)) {
        refuse_picture_options(given, options)?;
        cifar_folder(given, folder, 0, options)
    } else if has("cifar-10-batches-bin") {
        refuse_picture_options(given, options)?;
        cifar_folder(given, &folder.join("cifar-10-batches-bin"), 0, options)
    } else if !tars.is_empty() {
        let opened: Result<Vec<_>, DataError> = tars
            .into_iter()
            .map(|(split, n)| Ok((Some(split), Stream::open(&folder.join(n))?)))
            .collect();
        pictures::read_tars(given, opened?, options)
    } else {
        pictures::read_folder(given, folder, options)
    }
}

/// The file, or the file with `.gz`.
pub(crate) fn with_or_without_gz(path: PathBuf) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path);
    }
    let mut packed = path.into_os_string();
    packed.push(".gz");
    Some(PathBuf::from(packed)).filter(|p| p.is_file())
}

pub(crate) fn expect_file(path: PathBuf) -> Result<PathBuf, DataError> {
    with_or_without_gz(path.clone()).ok_or_else(|| DataError::Missing {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        looked_in: path.parent().unwrap_or(Path::new(".")).display().to_string(),
        hint: "it belongs to the set whose other files are there (.gz will do)".into(),
    })
}

/// An IDX file with the labels that lie beside it under the usual names.
fn idx_with_labels(path: &Path) -> Result<Loaded, DataError> {
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

fn read_labels(path: &Path) -> Result<Vec<u32>, DataError> {
    idx::read(&mut Stream::open(path)?)?.into_labels(path)
}

fn images_and_labels(images: PathBuf, labels: PathBuf) -> Result<Loaded, DataError> {
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
        images_and_labels(
            folder.join(format!("{prefix}-images-idx3-ubyte")),
            folder.join(format!("{prefix}-labels-idx1-ubyte")),
        )
    };
    let mut splits = Vec::new();
    split_train(part("train")?, valid, &mut splits)?;
    splits.push((SplitName::Test, part("t10k")?));
    // Grey images have their format's levels, even where a subset happens to use few.
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let mut data = assemble(name, splits, &options)?;
    if data.class_names.is_empty() {
        data.class_names = (0..data.classes()).map(|c| c.to_string()).collect();
    }
    Ok(data)
}

fn split_train(
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

/// `STEM_train.amat` and its like.
pub(crate) fn amat(
    name: &str,
    folder: &Path,
    stem: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    text_splits(name, folder, |split| format!("{stem}_{split}.amat"), true, options)
}

/// `NAME.train.data` and its like.
pub(crate) fn density(
    name: &str,
    folder: &Path,
    stem: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    text_splits(name, folder, |split| format!("{stem}.{split}.data"), false, options)
}

fn text_splits(
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
            // The others can be carved.
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
    cifar_set(name, splits, options)
}

fn cifar_set(
    name: &str,
    splits: Vec<(SplitName, Loaded)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let mut data = assemble(name, splits, &options)?;
    data.class_names = cifar::CLASSES.map(String::from).to_vec();
    Ok(data)
}

/// Omniglot's drawings: the background alphabets are for training, the evaluation alphabets for
/// testing, and their classes are numbered after the others, since none is shared.
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
        let text = std::fs::read_to_string(&names).map_err(|e| DataError::io("read", &names, e))?;
        let before = classes.len();
        // A line is the number, the alphabet and the character.
        classes.extend(
            text.lines().map(|line| line.split('\t').skip(1).collect::<Vec<_>>().join("/")),
        );
        for label in loaded.labels.iter_mut().flatten() {
            *label += before as u32;
            if *label as usize >= classes.len() {
                return Err(DataError::malformed(
                    &loaded.path,
                    "labels",
                    format!("a class beyond the {} of {part}-classes.txt", classes.len() - before),
                ));
            }
        }
        splits.push((split, loaded));
    }
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let mut data = assemble(name, splits, &options)?;
    data.class_names = classes;
    Ok(data)
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
    let data = pictures::read_tars(name, vec![(None, Stream::open(&tar)?)], options)?;
    data.with_last_as_valid(valid)
}

/// The folders in which a set is looked for.
pub(crate) fn folders_of(folder: &str, options: &OpenOptions) -> Vec<PathBuf> {
    data_dirs(options.data_dir.as_deref()).into_iter().map(|dir| dir.join(folder)).collect()
}
