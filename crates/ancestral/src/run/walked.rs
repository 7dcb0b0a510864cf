//! Columns of a table that is not held: read in parts, their numbers written into a file without a name,
//! which a fit walks as often as it needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ancestral_data::{
    ColumnFile, ColumnType, Dataset, Domain, Fingerprint, Held, OpenOptions, Opened, Shape, Split,
    SplitName, Values, is_known, is_table, open_in_parts,
};

use super::columns::refuse_words;
use super::session::Session;
use super::spec::{DataSource, RunSpec, Storage};
use crate::distributions::families::{Sample, Walk};
use crate::{Error, Result};

/// The size of a file, in bytes, from which on its rows are not held.
const LARGE: u64 = 64 << 20;
/// That of a compressed file.
const LARGE_PACKED: u64 = 8 << 20;
/// Entries that are held while a large file is read.
const HELD: usize = 1 << 20;
/// Those while any file is read in parts, if it has more than one entry.
const FEW_HELD: usize = 1 << 12;
/// Rows that stand for all in the description of the data.
const FEW: usize = 1000;
/// Rows that goodness of fit and plots take instead of all.
pub(super) const THINNED: usize = 1 << 20;

/// A column of a file of columns.
struct Column {
    file: Arc<ColumnFile>,
    at: usize,
}

impl Walk for Column {
    fn len(&self) -> usize {
        self.file.rows()
    }

    fn read(&self, first: usize, into: &mut [f64]) -> std::io::Result<()> {
        self.file.read(self.at, first, into)
    }
}

/// The columns of a table that is not held.
pub(super) struct WalkedColumns {
    /// With their names.
    pub(super) columns: Vec<(String, Sample)>,
    /// Some of the rows, the extreme ones among them.
    pub(super) few: Dataset,
    /// The fingerprint of all rows.
    pub(super) fingerprint: String,
    /// How many rows there are.
    pub(super) rows: usize,
}

/// Whether the rows of a request can be read in parts, those of a table or array without splits of its
/// own, and whether they are too many to be held.
fn in_parts(spec: &RunSpec) -> Option<bool> {
    let DataSource::Named(place) = &spec.data.source else { return None };
    let asked = &spec.data;
    let plain = asked.fold.is_none()
        && asked.resize.is_none()
        && asked.image.is_none()
        && asked.levels.is_none()
        && !asked.gray
        && asked.background.is_none();
    if !plain || is_known(place) {
        return None;
    }
    let name = place.to_ascii_lowercase();
    let packed = name.ends_with(".gz") || name.ends_with(".zst");
    let array = name.trim_end_matches(".gz").trim_end_matches(".zst").ends_with(".npy");
    let limit = if packed { LARGE_PACKED } else { LARGE };
    let meta = Path::new(place).metadata().ok().filter(std::fs::Metadata::is_file)?;
    (is_table(place) || array).then_some(meta.len() >= limit)
}

/// The folder for a file of columns: that of the run.
fn folder_of(storage: &Storage) -> PathBuf {
    let place = match storage {
        Storage::InMemory => return std::env::temp_dir(),
        Storage::Folder(path) | Storage::Within(path) => path,
    };
    let there = place.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new(".")).to_owned()
}

impl Session<'_> {
    /// The columns of a large table, or of any that is to be read in parts, of these names or all; `None`
    /// if the table is held. Columns of words are left out if `numbers_alone`.
    ///
    /// # Errors
    /// If the table cannot be read, a column holds words, or the numbers cannot be written.
    pub(super) fn walked_columns(
        &mut self,
        spec: &RunSpec,
        columns: &[String],
        asked: bool,
        (model, numbers_alone): (&str, bool),
    ) -> Result<Option<WalkedColumns>> {
        let DataSource::Named(place) = &spec.data.source else { return Ok(None) };
        let (most, entries) = match in_parts(spec) {
            Some(true) => (HELD, HELD),
            Some(false) if asked => (1, FEW_HELD),
            _ => return Ok(None),
        };
        let options = OpenOptions {
            data_dir: self.data_dir().map(Path::to_path_buf),
            text: spec.data.text.clone(),
            columns: columns.to_vec(),
            no_labels: true,
            real: true,
            whole: true,
            ..OpenOptions::default()
        };
        let folder = folder_of(&spec.storage);
        let held = Held { entries: most, folder: folder.clone() };
        self.tell("reading", 0, 1)?;
        let mut parts = match open_in_parts(place, &options, &held)? {
            Opened::Parts(parts) => parts,
            Opened::Whole(_) => return Ok(None),
        };
        let (rows, at_once) = (parts.len(), (entries / parts.size().max(1)).max(1));
        let mut all: Option<Written> = None;
        self.working("keeping the numbers", rows, |progress| {
            let mut done = 0;
            while let Some(data) = parts.next_rows(at_once)? {
                let data = data.with_columns(columns)?;
                done += data.len(SplitName::Train);
                let written = match &mut all {
                    Some(written) => written,
                    None => all.insert(Written::new(&data, &folder, (model, numbers_alone))?),
                };
                written.add(&data, &folder)?;
                progress(done);
            }
            Ok(())
        })?;
        let Some(written) = all else { return Ok(None) };
        written.finish(&folder, model).map(Some)
    }
}

/// What is written of a table.
struct Written {
    file: ColumnFile,
    fingerprint: Fingerprint,
    /// The places of the columns that are taken; `None` for all.
    taken: Option<Vec<usize>>,
    /// The first part, without its rows.
    first: Dataset,
}

impl Written {
    fn new(data: &Dataset, folder: &Path, (model, numbers_alone): (&str, bool)) -> Result<Self> {
        let is_words =
            |at: usize| data.columns.get(at).is_some_and(|c| c.kind == ColumnType::Category);
        let size = data.shape.size();
        let numbers: Vec<usize> = (0..size).filter(|&at| !is_words(at)).collect();
        let mut taken = None;
        if numbers.len() < size {
            if !numbers_alone || numbers.is_empty() {
                refuse_words(data, model)?;
            }
            taken = Some(numbers);
        }
        let mut first = match &taken {
            Some(order) => data.select_columns(order)?,
            None => data.clone(),
        };
        if let Some(order) = &taken {
            let left = size - order.len();
            first.notes.push(format!("{left} columns of words were left out"));
        }
        let file = ColumnFile::create(folder, first.shape.size())?;
        let fingerprint = Fingerprint::new(&first.shape);
        Ok(Self { file, fingerprint, taken, first })
    }

    fn add(&mut self, data: &Dataset, folder: &Path) -> Result<()> {
        let chosen = self.taken.as_ref().map(|order| data.select_columns(order)).transpose()?;
        let data = chosen.as_ref().unwrap_or(data);
        let numbers;
        let values = match &data.split(SplitName::Train)?.values {
            Values::Reals(values) => values,
            Values::Bytes(values) => {
                numbers = values.iter().map(|&x| f64::from(x)).collect();
                &numbers
            }
        };
        self.fingerprint.add(values);
        Ok(self.file.push(folder, values)?)
    }

    fn finish(mut self, folder: &Path, model: &str) -> Result<WalkedColumns> {
        self.file.finish(folder)?;
        let (rows, size) = (self.file.rows(), self.first.shape.size());
        let file = Arc::new(self.file);
        let names = &self.first.column_names;
        let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("x{at}"));
        let mut columns = Vec::with_capacity(size);
        for at in 0..size {
            let walk = Arc::new(Column { file: file.clone(), at });
            let sample = Sample::walked(walk).map_err(|error| Error::UnsuitableData {
                model: model.to_owned(),
                problem: format!("column '{}': {error}", name(at)),
            })?;
            columns.push((name(at), sample));
        }
        // The extreme values of each column beside evenly spaced rows.
        let few: Vec<Vec<f64>> = columns
            .iter()
            .map(|(_, sample)| {
                let (low, high) = sample.range();
                sample.thinned(FEW).values().iter().copied().chain([low, high]).collect()
            })
            .collect();
        let count = few.first().map_or(0, Vec::len);
        let row = |at: usize| few.iter().filter_map(move |column| column.get(at).copied());
        let values = Values::Reals((0..count).flat_map(row).collect());
        let split = Split { values, labels: None };
        let shape = Shape::columns(size);
        let mut data = Dataset::new(&self.first.name, Domain::Real, shape, split, None, None)?;
        data.column_names.clone_from(&self.first.column_names);
        data.columns.clone_from(&self.first.columns);
        data.notes.clone_from(&self.first.notes);
        data.notes.push(format!(
            "its {rows} rows are read in parts and all fitted, none is kept for a test; goodness of fit and \
             plots take at most {THINNED} of them, evenly spaced"
        ));
        let fingerprint = self.fingerprint.finish();
        Ok(WalkedColumns { columns, few: data, fingerprint, rows })
    }
}
