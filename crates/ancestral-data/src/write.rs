//! Writing NumPy and CSV files.

use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::{AtomicFile, DataError};

/// Whether the value is exact in single precision.
fn is_single(value: f64) -> bool {
    f64::from(value as f32) == value
}

/// Writes rows of numbers as a NumPy array `[rows, …shape]` of 32-bit floats, or of 64-bit floats
/// if a number needs them.
///
/// # Errors
/// If the file cannot be written.
pub fn write_npy(path: &Path, values: &[f64], shape: &[usize]) -> Result<(), DataError> {
    let mut writer = NpyWriter::create(path, shape)?;
    writer.write(values)?;
    writer.finish()
}

/// The same array in parts, of which it holds none; the file appears when it is whole.
#[derive(Debug)]
pub struct NpyWriter {
    path: PathBuf,
    shape: Vec<usize>,
    file: AtomicFile,
    single: bool,
}

impl NpyWriter {
    /// Begins an array of this shape.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path, shape: &[usize]) -> Result<Self, DataError> {
        let mut file = AtomicFile::create(path)?;
        let header = header(true, shape);
        file.write_all(&header).map_err(|e| DataError::io("write", path, e))?;
        Ok(Self { path: path.to_owned(), shape: shape.to_vec(), file, single: true })
    }

    /// Appends values.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, values: &[f64]) -> Result<(), DataError> {
        self.put(values).map_err(|e| DataError::io("write", &self.path, e))
    }

    fn put(&mut self, values: &[f64]) -> io::Result<()> {
        if self.single && !values.iter().all(|&value| is_single(value)) {
            self.widen()?;
        }
        for part in values.chunks(PART) {
            let bytes: Vec<u8> = match self.single {
                true => part.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect(),
                false => part.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            self.file.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Begins anew in double precision, with the values so far.
    fn widen(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let mut old = BufReader::new(self.file.reopen()?);
        old.seek_relative(header(true, &self.shape).len() as i64)?;
        let mut file = AtomicFile::create(&self.path).map_err(io::Error::other)?;
        file.write_all(&header(false, &self.shape))?;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            (&mut old).take(4 * PART as u64).read_to_end(&mut bytes)?;
            if bytes.is_empty() {
                break;
            }
            let singles =
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let doubles: Vec<u8> = singles.flat_map(|v| f64::from(v).to_le_bytes()).collect();
            file.write_all(&doubles)?;
        }
        (self.file, self.single) = (file, false);
        Ok(())
    }

    /// Ends the file, which must have all its values.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), DataError> {
        self.file.commit()
    }
}

/// Values that are converted at a time.
const PART: usize = 1 << 16;

/// The header of an array.
fn header(single: bool, shape: &[usize]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let kind = if single { "<f4" } else { "<f8" };
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    // Magic, version and length take 10 bytes; all of it ends on a multiple of 64.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

/// Writes rows of numbers as CSV with a header, each with the fewest digits that identify it.
///
/// # Errors
/// If the file cannot be written.
pub fn write_csv(path: &Path, names: &[String], values: &[f64]) -> Result<(), DataError> {
    let mut writer = CsvWriter::create(path, names)?;
    writer.write(values)?;
    writer.finish()
}

/// The same table in parts, of which it holds none; the file appears when it is whole.
#[derive(Debug)]
pub struct CsvWriter {
    path: PathBuf,
    columns: usize,
    words: Vec<Vec<String>>,
    file: AtomicFile,
}

impl CsvWriter {
    /// Begins a table with these columns.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path, names: &[String]) -> Result<Self, DataError> {
        let mut file = AtomicFile::create(path)?;
        let head = names.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",");
        let written = file.write_all(head.as_bytes()).and_then(|()| file.write_all(b"\n"));
        written.map_err(|e| DataError::io("write", path, e))?;
        Ok(Self { path: path.to_owned(), columns: names.len().max(1), words: Vec::new(), file })
    }

    /// Writes the words of the columns that have some, each in the place of its number.
    #[must_use]
    pub fn with_words(self, words: Vec<Vec<String>>) -> Self {
        Self { words, ..self }
    }

    /// Appends whole rows.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, values: &[f64]) -> Result<(), DataError> {
        for row in values.chunks_exact(self.columns) {
            let cells: Vec<String> =
                row.iter().enumerate().map(|(at, &value)| cell(&self.words, at, value)).collect();
            self.text(&(cells.join(",") + "\n"))?;
        }
        Ok(())
    }

    /// Appends text as it is: rows that are written by another.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn text(&mut self, text: &str) -> Result<(), DataError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| DataError::io("write", &self.path, e))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), DataError> {
        self.file.commit()
    }
}

/// The fewest digits that identify a value, or its word in a column that has words.
fn cell(words: &[Vec<String>], column: usize, value: f64) -> String {
    if let Some(word) = words.get(column).and_then(|words| words.get(value as usize)) {
        return csv_cell(word);
    }
    // More digits than a double holds would not be read back.
    if value.abs() >= 1e16 {
        return format!("{value:e}");
    }
    // The fewest digits of a whole number in single precision are those of another one.
    let single = is_single(value) && value.fract() != 0.0;
    if single { (value as f32).to_string() } else { value.to_string() }
}

/// A cell of a CSV file, quoted if necessary.
pub fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_in_parts_is_the_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for (name, values) in [
            ("single", vec![1.0, 0.5, -3.0, 0.0, 2.0, 8.0]),
            ("double", vec![1.0, 0.5, 0.1, 0.25, 2.0, 0.3]),
            ("last", vec![1.0, 0.5, 7.0, 0.25, 2.0, 0.3]),
        ] {
            write_npy(&path(name), &values, &[3, 2]).unwrap();
            let mut writer = NpyWriter::create(&path("parts"), &[3, 2]).unwrap();
            values.chunks(2).for_each(|part| writer.write(part).unwrap());
            assert!(!path("parts").exists());
            writer.finish().unwrap();
            let [whole, parts] = [name, "parts"].map(|name| std::fs::read(path(name)).unwrap());
            assert_eq!(whole, parts, "{name}");
            assert_eq!(whole.len(), 128 + 6 * if name == "single" { 4 } else { 8 });
            std::fs::remove_file(path("parts")).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "no litter");
    }

    #[test]
    fn names_with_commas_stay_one_cell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let names = ["a,b".to_owned(), "say \"x\"".to_owned()];
        write_csv(&path, &names, &[1.0, 0.1, 100_002_624.0, f64::from(0.1f32)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "\"a,b\",\"say \"\"x\"\"\"\n1,0.1\n100002624,0.1\n");
    }
}
