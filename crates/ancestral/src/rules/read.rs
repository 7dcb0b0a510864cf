//! Reading baskets: a basket a line, a long table with a basket and an item a row, or a table of 0/1;
//! plain or compressed by gzip. Files are streamed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::baskets::{Baskets, Names};
use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};
use super::layout::{Cells, Format, Layout, truth};
use super::watch::Watch;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadReport {
    /// The format.
    pub format: Format,
    /// Whether the file is compressed.
    pub gzip: bool,
    /// Blank lines, which are passed over.
    pub blank_lines: u64,
    /// Lines, the header included.
    pub lines: u64,
}

/// Lines between two reports of progress.
const EACH: u64 = 1 << 12;
/// Bytes of text by which the format is told.
const SAMPLE: u64 = 1 << 18;

/// Reads all baskets of a file.
///
/// The rows of a basket in a long table may be anywhere in it.
///
/// # Errors
/// If the file cannot be read, a line does not fit the format, there is no basket, or the memory limit
/// is exceeded.
pub fn read_baskets(
    path: &Path,
    layout: Option<Layout>,
    budget: &Budget,
) -> Result<(Names, Baskets, ReadReport)> {
    BasketReader::open(path, layout, budget)?.read_all(budget)
}

/// A file that counts the bytes that are read of it.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(bytes)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Rows of a long table in memory.
struct LongRows {
    rows: Vec<(u32, u32)>,
    baskets: u32,
    memory: Reserved,
}

impl LongRows {
    fn new(budget: &Budget) -> Self {
        let memory = Reserved::empty(budget, "the long table", "raise the limit");
        Self { rows: Vec::new(), baskets: 0, memory }
    }

    /// An item of a basket; `u32::MAX` is none.
    fn push(&mut self, basket: u32, item: Option<u32>) -> Result<()> {
        self.baskets = self.baskets.max(basket + 1);
        if let Some(item) = item {
            self.rows.push((basket, item));
        }
        self.memory.grow_to(8 * self.rows.capacity() as u64)
    }

    fn baskets(mut self, baskets: &mut Baskets) -> Result<()> {
        self.rows.sort_unstable();
        let (mut basket, mut rows) = (Vec::new(), self.rows.iter().peekable());
        for number in 0..self.baskets {
            basket.clear();
            while let Some((_, item)) = rows.next_if(|row| row.0 == number) {
                basket.push(*item);
            }
            baskets.push(&basket)?;
        }
        Ok(())
    }
}

/// Streams the baskets of a file.
pub struct BasketReader {
    path: PathBuf,
    text: Box<dyn BufRead + Send>,
    report: ReadReport,
    line: Vec<u8>,
    cells: Cells,
    /// The items of a table's columns; `None` for a column that names the rows.
    columns: Vec<Option<u32>>,
    /// The header of a table, before its names are numbered.
    header: Vec<String>,
    /// The baskets of a long table.
    groups: Names,
    /// The basket and the item of a long table that were read too far.
    ahead: Option<(u32, Option<u32>)>,
    memory: Reserved,
    /// Bytes of the file that were read, of how many.
    read: Arc<AtomicU64>,
    size: u64,
    watch: Watch,
}

impl BasketReader {
    /// Opens a file and tells its format, unless it is given.
    ///
    /// # Errors
    /// If the file cannot be read, or its header does not fit the format.
    pub fn open(path: &Path, layout: Option<Layout>, budget: &Budget) -> Result<Self> {
        let failed = |source| RulesError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        // 0 for a pipe.
        let size = file.metadata().map_err(failed)?.len();
        let read = Arc::new(AtomicU64::new(0));
        let mut file = Counted { file, read: read.clone() };
        let mut magic = Vec::new();
        file.by_ref().take(2).read_to_end(&mut magic).map_err(failed)?;
        let gzip = magic == [0x1f, 0x8b];
        let whole = Cursor::new(magic).chain(file);
        let mut text: Box<dyn Read + Send> =
            if gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let mut sample = Vec::new();
        text.by_ref().take(SAMPLE).read_to_end(&mut sample).map_err(failed)?;
        if sample.starts_with(b"\xef\xbb\xbf") {
            sample.drain(..3);
        }
        let format = Format::of(&sample, sample.len() as u64 >= SAMPLE, layout);
        let text = BufReader::with_capacity(1 << 16, Cursor::new(sample).chain(text));
        let mut reader = Self {
            path: path.to_owned(),
            text: Box::new(text),
            report: ReadReport { format, gzip, blank_lines: 0, lines: 0 },
            line: Vec::new(),
            cells: Cells::default(),
            columns: Vec::new(),
            header: Vec::new(),
            groups: Names::new(),
            ahead: None,
            memory: Reserved::empty(budget, "the names", "raise the limit"),
            read,
            size,
            watch: Watch::new(),
        };
        if format.header {
            reader.read_header()?;
        }
        Ok(reader)
    }

    /// Reports its progress, in bytes of the file, as of `phase`, and ends if it is stopped.
    pub fn set_watch(&mut self, watch: &Watch, phase: &'static str) {
        watch.begin(phase, self.size);
        self.watch = watch.clone();
    }

    /// Reads all baskets from its place on.
    ///
    /// The rows of a basket in a long table may be anywhere in it.
    ///
    /// # Errors
    /// As [`read_baskets`].
    pub fn read_all(mut self, budget: &Budget) -> Result<(Names, Baskets, ReadReport)> {
        let (mut names, mut baskets) = (Names::new(), Baskets::new(budget));
        if self.report.format.layout == Layout::Long {
            let mut rows = LongRows::new(budget);
            while let Some((basket, item)) = self.long_row(&mut names)? {
                rows.push(basket, item)?;
            }
            rows.baskets(&mut baskets)?;
        } else {
            let mut basket = Vec::new();
            while self.next(&mut names, &mut basket)? {
                baskets.push(&basket)?;
            }
        }
        if baskets.is_empty() {
            return Err(RulesError::NoBaskets { path: self.path });
        }
        // The names stay, those of the baskets of a long table do not.
        self.memory.shrink_to(names.bytes());
        baskets.hold(self.memory);
        Ok((names, baskets, self.report))
    }

    /// What was read so far.
    pub fn report(&self) -> ReadReport {
        self.report
    }

    /// Reads the next basket, its items numbered by `names`; `false` at the end.
    ///
    /// The rows of a basket in a long table must follow each other.
    ///
    /// # Errors
    /// If the file cannot be read, or a line does not fit the format.
    pub fn next(&mut self, names: &mut Names, basket: &mut Vec<u32>) -> Result<bool> {
        basket.clear();
        let more = match self.report.format.layout {
            Layout::Baskets => {
                self.next_line()? && {
                    for cell in self.cells.iter() {
                        basket.push(names.number(cell)?);
                    }
                    true
                }
            }
            Layout::Table => self.next_row(names, basket)?,
            Layout::Long => self.next_group(names, basket)?,
        };
        self.memory.grow_to(names.bytes() + self.groups.bytes())?;
        Ok(more)
    }

    fn wrong(&self, problem: impl Into<String>) -> RulesError {
        RulesError::Line {
            path: self.path.clone(),
            line: self.report.lines,
            problem: problem.into(),
        }
    }

    /// Reads the cells of the next line that is not blank; `false` at the end. Baskets drop empty
    /// cells.
    fn next_line(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let read = self.text.read_until(b'\n', &mut self.line);
            let read =
                read.map_err(|source| RulesError::Read { path: self.path.clone(), source })?;
            if read == 0 {
                return Ok(false);
            }
            self.report.lines += 1;
            if self.report.lines.is_multiple_of(EACH) {
                self.watch.check()?;
                self.watch.set(self.read.load(Ordering::Relaxed));
            }
            let Ok(line) = std::str::from_utf8(&self.line) else {
                return Err(self.wrong("the text is not UTF-8"));
            };
            let line = line.trim_ascii();
            if line.is_empty() {
                self.report.blank_lines += 1;
                continue;
            }
            if let Err(problem) = self.cells.split(line, self.report.format.separator) {
                return Err(self.wrong(problem));
            }
            if self.report.format.layout == Layout::Baskets {
                self.cells.drop_empty();
            }
            return Ok(true);
        }
    }

    fn read_header(&mut self) -> Result<()> {
        if !self.next_line()? {
            return Ok(());
        }
        let header: Vec<String> = self.cells.iter().map(str::to_owned).collect();
        if self.report.format.layout == Layout::Long {
            return match header.len() {
                2 => Ok(()),
                n => Err(self.wrong(format!(
                    "a long table has two columns, a basket and an item, and here are {n}"
                ))),
            };
        }
        let mut seen = HashSet::new();
        for (at, name) in header.iter().enumerate() {
            if name.is_empty() && at > 0 {
                return Err(self.wrong(format!("column {} of the table has no name", at + 1)));
            }
            if !seen.insert(name) {
                return Err(self.wrong(format!("two columns of the table are named '{name}'")));
            }
        }
        self.header = header;
        Ok(())
    }

    fn next_row(&mut self, names: &mut Names, basket: &mut Vec<u32>) -> Result<bool> {
        if self.columns.is_empty() {
            for name in &self.header {
                let names_rows = self.columns.is_empty() && self.report.format.row_names;
                let item = if names_rows { None } else { Some(names.number(name)?) };
                self.columns.push(item);
            }
        }
        if !self.next_line()? {
            return Ok(false);
        }
        if self.cells.len() != self.columns.len() {
            return Err(self.wrong(format!(
                "the table has {} columns, and here are {} cells",
                self.columns.len(),
                self.cells.len()
            )));
        }
        for (cell, &column) in self.cells.iter().zip(&self.columns) {
            let Some(item) = column else { continue };
            match truth(cell) {
                Some(true) => basket.push(item),
                Some(false) => {}
                None => {
                    return Err(self.wrong(format!(
                        "'{cell}' for item '{}' is neither 0/1 nor true/false; if this is no \
                         table, say that the lines are baskets",
                        names.name(item)
                    )));
                }
            }
        }
        Ok(true)
    }

    /// A row of a long table: its basket, and its item unless the cell is empty.
    fn long_row(&mut self, names: &mut Names) -> Result<Option<(u32, Option<u32>)>> {
        if !self.next_line()? {
            return Ok(None);
        }
        if self.cells.len() != 2 {
            return Err(self.wrong(format!(
                "a long table has two columns, a basket and an item, and here are {} cells",
                self.cells.len()
            )));
        }
        let (group, item) = (self.cells.cell(0), self.cells.cell(1));
        if group.is_empty() {
            return Err(self.wrong("the first cell, which names the basket, is empty"));
        }
        let item = if item.is_empty() { None } else { Some(names.number(item)?) };
        let group = self.groups.number(group)?;
        self.memory.grow_to(names.bytes() + self.groups.bytes())?;
        Ok(Some((group, item)))
    }

    fn next_group(&mut self, names: &mut Names, basket: &mut Vec<u32>) -> Result<bool> {
        let first = match self.ahead.take() {
            Some(row) => row,
            None => match self.long_row(names)? {
                Some(row) => row,
                None => return Ok(false),
            },
        };
        let group = first.0;
        basket.extend(first.1);
        while let Some(row) = self.long_row(names)? {
            if row.0 == group {
                basket.extend(row.1);
            } else if row.0 < group {
                return Err(self.wrong(format!(
                    "basket '{}' was met before; sort the table by baskets, or read it whole",
                    self.groups.name(row.0)
                )));
            } else {
                self.ahead = Some(row);
                break;
            }
        }
        Ok(true)
    }
}
