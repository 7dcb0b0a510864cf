//! Opening a data set by name or by path.

use std::ffi::OsStr;
use std::path::Path;

use crate::discs::discs;
use crate::format::parts::{self, Found, Held, TableParts};
use crate::format::{Stream, assemble};
use crate::format::{arff, cifar, images, npy, table, text};
use crate::known;
use crate::layouts::{amat, cifar_folder, cifar_set, density, idx_with_labels, mnist};
use crate::names;
use crate::options::OpenOptions;
use crate::special::{STANDARD_INPUT, check_plain, is_pipe, open_plain, read_plain};
use crate::toys::Toy;
use crate::{DataError, Dataset, Sought, SplitName, Values, digits};

/// Opens a data set by its known name or by the path of a file or folder.
///
/// A known name takes precedence over a path; `./mnist` is always a path.
/// Official splits are used where they exist, missing ones are split off from the training examples
/// at random, by seed.
///
/// # Errors
/// If there is no such data, or it does not conform to its format.
pub fn open(name_or_path: &str, options: &OpenOptions) -> Result<Dataset, DataError> {
    let data = if name_or_path == "digits" {
        refuse_image_options(name_or_path, options)?;
        options.refuse_fold(name_or_path)?;
        digits()?
    } else if name_or_path == "discs" {
        refuse_image_options(name_or_path, options)?;
        options.refuse_fold(name_or_path)?;
        discs(name_or_path)?
    } else if let Some(toy) = Toy::parse(name_or_path) {
        refuse_image_options(name_or_path, options)?;
        options.refuse_fold(name_or_path)?;
        toy?.open(name_or_path)?
    } else if let Some(set) = known::find(name_or_path) {
        refuse_image_options(name_or_path, options)?;
        set.open(options)?
    } else {
        open_path(name_or_path, options)?
    };
    let data = data.with_columns(&options.columns)?;
    let data = if options.whole && data.split(SplitName::Test).is_err() {
        data
    } else if options.keep_few && data.too_few_to_split() {
        let mut data = data;
        data.notes.push("too few examples for splits of their own: models need three".into());
        data
    } else {
        data.with_splits(options.seed)?
    };
    Ok(if options.all_train { data.with_valid_in_train() } else { data })
}

/// Reads columns of a table to their end, each by its name, as `options` says; a missing cell is NaN,
/// and infinities are kept. Known data sets and arrays have neither.
///
/// # Errors
/// As [`open`], and if a column holds words.
pub fn read_columns(
    name_or_path: &str,
    columns: &[String],
    options: &OpenOptions,
) -> Result<Vec<Vec<f64>>, DataError> {
    let options = OpenOptions {
        columns: columns.to_vec(),
        whole: true,
        real: true,
        no_labels: true,
        ..options.clone()
    };
    let path = Path::new(name_or_path);
    let of_text = path.is_file() && is_table(path) && known::find(name_or_path).is_none();
    let found: Vec<(String, Vec<f64>)> = if of_text {
        check_plain(path)?;
        let (stream, options) = arff::text_of(path, &options)?;
        table::read_open_ended(stream, &options)?
    } else {
        let data = open(name_or_path, &options)?;
        let size = data.shape.size();
        let values = match &data.split(SplitName::Train)?.values {
            Values::Reals(values) => values.clone(),
            Values::Bytes(values) => values.iter().map(|&x| f64::from(x)).collect(),
        };
        let column = |at: usize| values.iter().skip(at).step_by(size).copied().collect();
        data.column_names.iter().cloned().enumerate().map(|(at, name)| (name, column(at))).collect()
    };
    let column = |name: &String| {
        let column = found.iter().find(|(other, _)| other == name);
        column.map(|(_, values)| values.clone()).ok_or_else(|| {
            let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
            table::no_column(name_or_path, name, &names)
        })
    };
    columns.iter().map(column).collect()
}

impl Dataset {
    /// The columns of these names (`x0`, `x1`, … where they have none), in their order; all if there are
    /// none.
    ///
    /// # Errors
    /// If there is no such column, or the examples are images.
    pub fn with_columns(self, columns: &[String]) -> Result<Self, DataError> {
        let data = self;
        if columns.is_empty() || data.column_names == columns {
            return Ok(data);
        }
        if data.shape.as_image().is_some() {
            return Err(DataError::Unsuitable(format!(
                "{}: column '{}' was asked for, and its examples are images",
                data.name, columns[0]
            )));
        }
        let chosen_already = data.column_names.is_empty() && !data.columns.is_empty();
        let names: Vec<String> = match (data.column_names.is_empty(), chosen_already) {
            // A table without a header was read in the order of the file.
            (true, true) => {
                let mut sorted = columns.to_vec();
                sorted.sort_by_key(|name| name[1..].parse::<usize>().unwrap_or(0));
                sorted
            }
            (true, false) => (0..data.shape.size()).map(|at| format!("x{at}")).collect(),
            _ => data.column_names.clone(),
        };
        let place = |name: &String| {
            let at = names.iter().position(|other| other == name);
            at.ok_or_else(|| table::no_column(&data.name, name, &names))
        };
        let order = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let mut chosen = data.select_columns(&order)?;
        chosen.column_names = columns.to_vec();
        Ok(chosen)
    }

    /// The first line of the file that holds a cell, if the data is a table of text in a file that can
    /// be read again.
    pub fn line_of(&self, sought: &Sought) -> Option<u64> {
        let (path, options) = self.source()?;
        let column = match sought {
            Sought::Number { column, .. } | Sought::Word { column, .. } => Some(*column),
            Sought::Label(_) => None,
        };
        let place = column.map(|at| (at, self.column_names.get(at).map(String::as_str)));
        table::line_of(path, options, place, sought)
    }

    /// Opens a data set by its known name or by the path of a file or folder, as [`open`] does without
    /// further options.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(name_or_path: &str) -> Result<Self, DataError> {
        open(name_or_path, &OpenOptions::default())
    }
}

/// Data that is held, or a table that is read in parts.
#[derive(Debug)]
pub enum Opened {
    /// All of it.
    Whole(Box<Dataset>),
    /// A table, or images, of more entries than are held.
    Parts(Box<TableParts>),
}

/// Opens data as [`open`] does, but a table of text, an array (`.npy`) or a folder of images that is kept
/// whole is read in parts if it has more entries than are held.
///
/// # Errors
/// As [`open`], or if what a pipe gives cannot be kept.
pub fn open_in_parts(
    name_or_path: &str,
    options: &OpenOptions,
    held: &Held,
) -> Result<Opened, DataError> {
    let whole = |data| Opened::Whole(Box::new(data));
    let path = Path::new(name_or_path);
    let pipe = options.pipe && is_pipe(name_or_path);
    let file = path.is_file() && !is_known_name(name_or_path);
    if options.whole
        && path.is_dir()
        && !is_known_name(name_or_path)
        && matches!(Folder::of(path)?, Folder::Images)
    {
        refuse_text_options(name_or_path, options)?;
        return Ok(match parts::read_images(name_or_path, options, held)? {
            None => whole(open(name_or_path, options)?),
            Some(parts) => Opened::Parts(parts),
        });
    }
    if !options.whole || options.fold.is_some() || !(pipe || (file && is_rows(path))) {
        return Ok(whole(open(name_or_path, options)?));
    }
    refuse_image_options(name_or_path, options)?;
    if !pipe && !is_table(path) {
        refuse_text_options(name_or_path, options)?;
        return Ok(match parts::read_array(name_or_path, options, held)? {
            None => whole(open(name_or_path, options)?),
            Some(parts) => Opened::Parts(parts),
        });
    }
    Ok(match parts::read(name_or_path, options, held)? {
        Found::Whole(table) => {
            let data = table.into_dataset(name_or_path, options)?;
            whole(if pipe { data } else { data.with_source(path, options) })
        }
        Found::Parts(parts) => Opened::Parts(parts),
    })
}

/// Whether a file is a table of text or an array, by its name.
fn is_rows(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    // The text of an ARFF file is read whole.
    is_table(path) && !arff::is_arff(path) || unpacked_name(&name).ends_with(".npy")
}

fn is_known_name(name: &str) -> bool {
    ["digits", "discs"].contains(&name) || Toy::parse(name).is_some() || known::find(name).is_some()
}

fn refuse_image_options(name: &str, options: &OpenOptions) -> Result<(), DataError> {
    if options.resize.is_some() || options.gray || options.background.is_some() {
        return Err(DataError::Unsuitable(format!(
            "{name}: resizing, grayscale and a background are for folders and tars of images"
        )));
    }
    Ok(())
}

/// A file name without the ending of its compression.
fn unpacked_name(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}

/// Whether a file is a table of text by its name.
pub fn is_table(path: impl AsRef<Path>) -> bool {
    let name = path.as_ref().file_name().and_then(OsStr::to_str).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let extension = unpacked_name(&name).rsplit_once('.').map_or("", |(_, e)| e);
    ["csv", "tsv", "tab", "psv", "data", "dat", "txt", "arff"].contains(&extension)
}

fn refuse_text_options(name: &str, options: &OpenOptions) -> Result<(), DataError> {
    match options.text.is_default() {
        true => Ok(()),
        false => Err(DataError::Unsuitable(format!(
            "{name}: header, separator, decimal sign, missing values and encoding are for tables of \
             text"
        ))),
    }
}

fn open_path(given: &str, options: &OpenOptions) -> Result<Dataset, DataError> {
    let path = Path::new(given);
    if is_pipe(given) && options.pipe {
        refuse_image_options(given, options)?;
        return table::read(Stream::open_pipe(given)?, options)?.into_dataset(given, options);
    }
    if given == STANDARD_INPUT && !path.exists() {
        return Err(DataError::Special { path: path.to_owned(), kind: "standard input" });
    }
    check_plain(path)?;
    if !path.exists() {
        return Err(DataError::Missing {
            name: given.to_owned(),
            looked_in: Some(if path.is_absolute() {
                path.to_owned()
            } else {
                std::env::current_dir().unwrap_or_default().join(path)
            }),
            folder: None,
            nearest: names::nearest(given, known::names()).map(str::to_owned),
            known: known::names(),
            can_fetch: false,
        });
    }
    if path.is_dir() {
        return open_folder(given, path, options);
    }
    let full = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let plain = unpacked_name(&full);
    let extension = plain.rsplit_once('.').map_or("", |(_, e)| e);
    if matches!(extension, "tar" | "tgz") {
        let tars = vec![(None, Stream::open(path)?)];
        return images::read_tars(given, tars, options);
    }
    if images::is_image(path) {
        let bytes = read_plain(path)?;
        let image = images::decode(&bytes, path, options)?;
        return images::assemble(given, vec![(full.into(), image)], options);
    }
    refuse_image_options(given, options)?;
    if !is_table(path) {
        refuse_text_options(given, options)?;
    }
    let train = match extension {
        _ if is_table(path) => {
            let (stream, read) = arff::text_of(path, options)?;
            return Ok(table::read(stream, &read)?
                .into_dataset(given, &read)?
                .with_source(path, options));
        }
        "amat" => text::squared(text::read(&mut Stream::open(path)?)?),
        "npy" => {
            let array = npy::read(&mut Stream::open(path)?)?;
            let note = array.ambiguity();
            let mut data =
                assemble(given, vec![(SplitName::Train, array.into_loaded(path)?)], options)?;
            data.notes.extend(note);
            return Ok(data);
        }
        "npz" => {
            let file = std::io::BufReader::new(open_plain(path)?);
            return npy::read_npz(file, path, options)?.into_dataset(given, options);
        }
        "bin" => {
            let batch = cifar::read(&mut Stream::open(path)?)?;
            return cifar_set(given, vec![(SplitName::Train, batch)], options);
        }
        _ if plain.contains("ubyte")
            || plain.contains("-idx")
            || plain.contains(".idx")
            || plain.ends_with("idx") =>
        {
            idx_with_labels(path)?
        }
        _ => {
            return Err(DataError::Unsuitable(format!(
                "{given}: unknown format{}; expected a name with -ubyte or .idx, .amat, .data, .txt, \
                 .npy, .npz, .csv, .tsv, .arff (each also with .gz or .zst, but for .npz), .tar, .tgz, .bin, \
                 .png, .jpg, .webp, .bmp, .gif or .tif, or a folder",
                match extension {
                    "xlsx" | "xls" | "xlsm" | "ods" => " (a workbook; save the sheet as CSV)",
                    "parquet" | "feather" | "arrow" | "h5" | "hdf5" | "mat" | "pkl" | "pickle" => {
                        " (write it as CSV or .npy)"
                    }
                    "json" | "jsonl" | "ndjson" | "geojson" | "xml" | "sqlite" | "db" | "sav"
                    | "dta" | "sas7bdat" | "rds" | "rdata" | "pdf" => " (write it as CSV)",
                    "heic" | "avif" | "svg" | "jp2" | "jxl" => " (convert it to PNG)",
                    "zip" | "rar" | "7z" | "xz" | "bz2" => " (unpack it first)",
                    _ => "",
                }
            )));
        }
    };
    assemble(given, vec![(SplitName::Train, train)], options)
}

/// Reads a folder, whose layout is recognized by the names of its files.
/// What a folder holds.
enum Folder {
    /// `NAME.train.data` and others.
    Density(String),
    /// `NAME_train.amat` and others.
    Amat(String),
    Mnist,
    Cifar,
    CifarBelow,
    CifarOfPython,
    Tars(Vec<(SplitName, String)>),
    Images,
}

impl Folder {
    fn of(folder: &Path) -> Result<Self, DataError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))? {
            let entry = entry.map_err(|e| DataError::io("list", folder, e))?;
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        names.sort();
        let plain = |name: &'_ str| name.strip_suffix(".gz").unwrap_or(name).to_owned();
        // NAME of files such as NAME.train.data.
        let stem =
            |end: &str| names.iter().find_map(|n| plain(n).strip_suffix(end).map(str::to_owned));
        let has = |name: &str| names.iter().any(|n| n == name || plain(n) == name);
        let tars: Vec<(SplitName, String)> = names
            .iter()
            .filter_map(|n| {
                let plain = plain(n);
                let split = plain.strip_suffix(".tar").or_else(|| plain.strip_suffix(".tgz"))?;
                Some((split.parse().ok()?, n.clone()))
            })
            .collect();
        Ok(if let Some(stem) = stem(".train.data") {
            Self::Density(stem)
        } else if let Some(stem) = stem("_train.amat") {
            Self::Amat(stem)
        } else if has("train-images-idx3-ubyte") || has("train-images.idx3-ubyte") {
            Self::Mnist
        } else if names.iter().any(|n| images::is_python_batch(Path::new(n)))
            || has("cifar-10-batches-py")
        {
            Self::CifarOfPython
        } else if names.iter().any(|n| images::is_batch(n)) {
            Self::Cifar
        } else if has("cifar-10-batches-bin") {
            Self::CifarBelow
        } else if !tars.is_empty() {
            Self::Tars(tars)
        } else {
            Self::Images
        })
    }
}

fn open_folder(given: &str, folder: &Path, options: &OpenOptions) -> Result<Dataset, DataError> {
    let kind = Folder::of(folder)?;
    if !matches!(kind, Folder::CifarOfPython | Folder::Tars(_) | Folder::Images) {
        refuse_image_options(given, options)?;
    }
    match kind {
        Folder::Density(stem) => density(given, folder, &stem, options),
        Folder::Amat(stem) => amat(given, folder, &stem, options),
        Folder::Mnist => mnist(given, folder, 0, options),
        Folder::Cifar => cifar_folder(given, folder, 0, options),
        Folder::CifarBelow => cifar_folder(given, &folder.join("cifar-10-batches-bin"), 0, options),
        Folder::CifarOfPython => Err(images::python_version(folder)),
        Folder::Tars(tars) => {
            let open = |(split, name)| Ok((Some(split), Stream::open(&folder.join(name))?));
            let opened: Result<Vec<_>, DataError> = tars.into_iter().map(open).collect();
            images::read_tars(given, opened?, options)
        }
        Folder::Images => images::read_folder(given, folder, options),
    }
}
