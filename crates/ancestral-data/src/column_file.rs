//! Columns of numbers on disk, written once and read in any order: rows that a method needs several
//! times, of a table that is not held.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::DataError;
use crate::disk::Unnamed;

/// Rows whose columns lie together.
const CHUNK: usize = 1 << 16;
/// Bytes of a number.
const BYTES: usize = 8;
/// Numbers that are read at once.
const AT_ONCE: usize = 1 << 9;

/// Rows of some columns, in a file without a name, which is gone when this is.
#[derive(Debug)]
pub struct ColumnFile {
    file: Unnamed,
    reader: File,
    columns: usize,
    rows: usize,
    /// Rows that no whole chunk holds yet, row after row.
    waiting: Vec<f64>,
}

impl ColumnFile {
    /// An empty file in a folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(folder: &Path, columns: usize) -> Result<Self, DataError> {
        let wrong = |e| DataError::io("write a file in", folder, e);
        let file = Unnamed::create(folder).map_err(wrong)?;
        let reader = file.reader().map_err(wrong)?;
        Ok(Self { file, reader, columns: columns.max(1), rows: 0, waiting: Vec::new() })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds rows, one after the other.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn push(&mut self, folder: &Path, values: &[f64]) -> Result<(), DataError> {
        let chunk = CHUNK * self.columns;
        let mut rest = values;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(chunk - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            rest = later;
            if self.waiting.len() == chunk {
                self.write().map_err(|e| DataError::io("write a file in", folder, e))?;
            }
        }
        self.rows += values.len() / self.columns;
        Ok(())
    }

    /// Writes what waits, after the last rows.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn finish(&mut self, folder: &Path) -> Result<(), DataError> {
        self.write().map_err(|e| DataError::io("write a file in", folder, e))?;
        self.waiting = Vec::new();
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.waiting.len() * BYTES);
        for at in 0..self.columns {
            let column = self.waiting.iter().skip(at).step_by(self.columns);
            column.for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        }
        self.waiting.clear();
        self.file.write_all(&bytes)
    }

    /// Reads values of a column, from a row on; they must be written and there.
    ///
    /// # Errors
    /// If the disk cannot be read, or there are not as many.
    pub fn read(&self, column: usize, first: usize, into: &mut [f64]) -> io::Result<()> {
        let mut bytes = [0; AT_ONCE * BYTES];
        let (mut row, mut rest) = (first, into);
        while !rest.is_empty() {
            let chunk = row - row % CHUNK;
            let rows = CHUNK.min(self.rows.saturating_sub(chunk));
            let here = AT_ONCE.min(rest.len()).min(rows.saturating_sub(row - chunk));
            if here == 0 || column >= self.columns {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let place = chunk * self.columns + column * rows + (row - chunk);
            let bytes = &mut bytes[..here * BYTES];
            read_at(&self.reader, bytes, (place * BYTES) as u64)?;
            let (now, later) = rest.split_at_mut(here);
            for (x, bytes) in now.iter_mut().zip(bytes.as_chunks::<BYTES>().0) {
                *x = f64::from_le_bytes(*bytes);
            }
            (row, rest) = (row + here, later);
        }
        Ok(())
    }
}

/// Reads at a place, whatever the position of the file.
#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, place)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut place: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, place)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (into, place) = (&mut into[n..], place + n as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let rows = 2 * CHUNK + 77;
        let value = |row: usize, column: usize| (row as f64 + 0.25) * [1.0, -3.0, 1e-300][column];
        let mut file = ColumnFile::create(folder.path(), 3).unwrap();
        let all: Vec<f64> = (0..rows).flat_map(|r| (0..3).map(move |c| value(r, c))).collect();
        all.chunks(3 * 1000).for_each(|part| file.push(folder.path(), part).unwrap());
        file.finish(folder.path()).unwrap();
        assert_eq!(file.rows(), rows);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
        for (first, count) in [(0, 5), (CHUNK - 3, 1000), (CHUNK * 2, 77), (0, rows)] {
            for column in 0..3 {
                let mut found = vec![0.0; count];
                file.read(column, first, &mut found).unwrap();
                let expected: Vec<f64> = (first..first + count).map(|r| value(r, column)).collect();
                assert_eq!(found, expected, "{column} {first} {count}");
            }
        }
        assert!(file.read(0, rows - 1, &mut [0.0; 2]).is_err());
        assert!(file.read(3, 0, &mut [0.0]).is_err());
    }
}
