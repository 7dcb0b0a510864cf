//! Tables, arrays and folders of images that are not held: a first reading finds out what only all rows tell, a second one
//! gives the rows in parts.

use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use super::images::ImageFiles;
use super::npy::{self, Header};
use super::roles::Decided;
use super::table::{self, Reader};
use super::{Data, Facts, Labels, Loaded, Stream, common_classes, domain_of, is_in_rows, shape_of};
use crate::disk::Unnamed;
use crate::special::{is_pipe, open_source};
use crate::{DataError, Dataset, Domain, OpenOptions, Shape, SplitName};

/// Bytes of a pipe that are kept in memory; more are kept in a file.
const KEPT: usize = 16 << 20;
const BUFFER: usize = 1 << 16;

/// How much of a table is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The most entries of a table that is held whole, and about the most of a part.
    pub entries: usize,
    /// The folder for what a pipe gives, which is read twice if it is not held.
    pub folder: PathBuf,
}

/// A table, held or not.
pub(crate) enum Found {
    Whole(Box<table::Table>),
    Parts(Box<TableParts>),
}

/// A table, an array of NumPy or a folder of images that is read in parts, of which one is held at a time.
pub struct TableParts {
    name: String,
    content: Content,
    shape: Shape,
    planes: Option<usize>,
    domain: Domain,
    class_names: Vec<String>,
    rows: usize,
    given: usize,
}

enum Content {
    Text(Box<Text>),
    Array { path: PathBuf, header: Header, stamp: Stamp, stream: Option<Stream<'static>> },
    Images(Box<ImageFiles>),
}

/// A table of text.
struct Text {
    source: Source,
    options: OpenOptions,
    decided: Decided,
    reader: Option<Reader<'static>>,
}

impl Content {
    fn restart(&mut self) {
        match self {
            Self::Text(text) => text.reader = None,
            Self::Array { stream, .. } => *stream = None,
            Self::Images(_) => {}
        }
    }

    /// The next rows, after so many, if there are as many; else fewer.
    fn next(&mut self, before: usize, rows: usize) -> Result<Loaded, DataError> {
        match self {
            Self::Text(text) => {
                let mut reader = match text.reader.take() {
                    Some(reader) => reader,
                    None => {
                        Reader::open(text.source.again()?, &text.options)?.knowing(&text.decided)
                    }
                };
                reader.most = rows.saturating_mul(text.decided.entries());
                while reader.rows < before + rows && reader.next()? {}
                let loaded = reader.part(&text.decided, rows)?;
                text.reader = Some(reader);
                Ok(loaded)
            }
            Self::Array { path, header, stream, .. } => {
                let stream = match stream {
                    Some(stream) => stream,
                    None => {
                        let mut new = Stream::open(path)?;
                        npy::header(&mut new)?;
                        stream.insert(new)
                    }
                };
                header.rows(stream, before, rows)?.into_loaded(path)
            }
            Self::Images(images) => images.rows(before, rows),
        }
    }

    fn has_changed(&self) -> bool {
        match self {
            Self::Text(text) => text.source.has_changed(),
            Self::Array { path, stamp: before, .. } => stamp(path) != *before,
            // An image of another size is left out, and found missing.
            Self::Images(_) => false,
        }
    }
}

impl std::fmt::Debug for TableParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableParts").field("name", &self.name).field("rows", &self.rows).finish()
    }
}

/// Reads a table, and holds it if it has at most so many entries.
pub(crate) fn read(name: &str, options: &OpenOptions, held: &Held) -> Result<Found, DataError> {
    let mut source = Source::new(name, held);
    let mut reader = Reader::open(source.first()?, options)?;
    reader.most = held.entries;
    let mut facts = None;
    while reader.next()? {
        if reader.held() > held.entries {
            let more = reader.forget()?;
            facts = Some(facts.map_or(more, |facts: Facts| facts.and(more)));
        }
    }
    let Some(facts) = facts else { return Ok(Found::Whole(Box::new(reader.into_table(options)?))) };
    let rows = reader.rows;
    let (mut decided, facts) = reader.decide_without_rows(options, facts)?;
    drop(reader);
    let read = Shape::columns(decided.entries());
    let shape = shape_of(name, &read, options)?;
    let domain = domain_of(name, facts, &shape, options)?;
    let planes = is_in_rows(&read, &shape, options).then(|| shape.size());
    let class_names = final_classes(&mut decided.labels, &read);
    let text = Text { source, options: options.clone(), decided, reader: None };
    let content = Content::Text(Box::new(text));
    let name = name.to_owned();
    let parts = TableParts { name, content, shape, planes, domain, class_names, rows, given: 0 };
    Ok(Found::Parts(Box::new(parts)))
}

/// Looks through an array of NumPy; `None` if it is held, or not in the order of rows.
pub(crate) fn read_array(
    name: &str,
    options: &OpenOptions,
    held: &Held,
) -> Result<Option<Box<TableParts>>, DataError> {
    let path = PathBuf::from(name);
    let before = stamp(&path);
    let mut stream = Stream::open(&path)?;
    let header = npy::header(&mut stream)?;
    let (size, rows) = header.size();
    if header.fortran || size == 0 || size.saturating_mul(rows) <= held.entries {
        return Ok(None);
    }
    let (mut facts, mut read) = (Facts::NONE, None);
    let (mut done, at_once) = (0, (held.entries / size).max(1));
    while done < rows {
        let part = header.rows(&mut stream, done, at_once.min(rows - done))?.into_loaded(&path)?;
        facts = facts.and(Facts::of(&part.data));
        read = Some(part.shape);
        done += at_once;
    }
    stream.end()?;
    options.refuse_fold(name)?;
    let Some(read) = read else { return Ok(None) };
    let shape = shape_of(name, &read, options)?;
    let domain = domain_of(name, facts, &shape, options)?;
    let planes = is_in_rows(&read, &shape, options).then(|| shape.size());
    let content = Content::Array { path, header, stamp: before, stream: None };
    let (name, class_names) = (name.to_owned(), Vec::new());
    let parts = TableParts { name, content, shape, planes, domain, class_names, rows, given: 0 };
    Ok(Some(Box::new(parts)))
}

/// Looks through a folder of images; `None` if it is held, or has splits.
pub(crate) fn read_images(
    name: &str,
    options: &OpenOptions,
    held: &Held,
) -> Result<Option<Box<TableParts>>, DataError> {
    let images = ImageFiles::look_through(name, Path::new(name), options, held.entries)?;
    let Some(mut images) = images else { return Ok(None) };
    options.refuse_fold(name)?;
    let read = images.shape();
    // The levels of an image are those of its format, even if only two occur.
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let shape = shape_of(name, &read, &options)?;
    let domain = domain_of(name, images.facts, &shape, &options)?;
    let planes = is_in_rows(&read, &shape, &options).then(|| shape.size());
    let class_names = final_classes(&mut images.labels, &read);
    let (rows, content) = (images.len(), Content::Images(Box::new(images)));
    let name = name.to_owned();
    let parts = TableParts { name, content, shape, planes, domain, class_names, rows, given: 0 };
    Ok(Some(Box::new(parts)))
}

/// Numbers the classes of words as those of a table that is held, and gives their names.
fn final_classes(labels: &mut Option<Labels>, shape: &Shape) -> Vec<String> {
    let Some(known) = labels else { return Vec::new() };
    // A row of each class.
    let numbers = (0..known.names.len() as u32).collect();
    let each = Labels { numbers, names: known.names.clone(), official: false };
    let data = Data::Bits(Vec::new());
    let loaded = Loaded { path: PathBuf::new(), shape: shape.clone(), data, labels: Some(each) };
    let mut splits = vec![(SplitName::Train, loaded)];
    let names = common_classes(&mut splits);
    if let Some(places) = splits.pop().and_then(|(_, loaded)| loaded.labels) {
        known.numbers.iter_mut().for_each(|n| *n = places.numbers[*n as usize]);
    }
    names
}

impl TableParts {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows; such tables are refused.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of entries of a row.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// Begins anew with the first row.
    pub fn restart(&mut self) {
        self.content.restart();
        self.given = 0;
    }

    /// The next rows, as the training split of a data set; `None` after the last one.
    ///
    /// # Errors
    /// If the file cannot be read, or has changed since it was opened.
    pub fn next_rows(&mut self, most: usize) -> Result<Option<Dataset>, DataError> {
        if self.given == self.rows {
            return Ok(None);
        }
        let rows = most.clamp(1, self.rows - self.given);
        let loaded = self.content.next(self.given, rows)?;
        self.given += rows;
        let is_short = loaded.data.len() < rows * self.shape.size();
        if is_short || (self.given == self.rows && self.content.has_changed()) {
            let path = Path::new(&self.name);
            return Err(DataError::malformed(path, "the file", "it changed while it was read"));
        }
        let split = loaded.into_split(self.domain, self.planes);
        let (name, shape) = (self.name.clone(), self.shape.clone());
        let mut data = Dataset::new(name, self.domain, shape, split, None, None)?;
        data.class_names.clone_from(&self.class_names);
        match &self.content {
            Content::Text(text) => {
                text.decided.describe(&mut data);
                if let Source::File { path, .. } = &text.source {
                    data = data.with_source(path, &text.options);
                }
            }
            Content::Images(images) => data.notes.clone_from(&images.notes),
            Content::Array { .. } => {}
        }
        Ok(Some(data))
    }
}

/// Text that is read twice.
enum Source {
    File {
        path: PathBuf,
        stamp: Stamp,
    },
    Pipe {
        name: String,
        kept: Rc<RefCell<Kept>>,
    },
    /// A pipe that is held whole.
    Once {
        name: String,
    },
}

impl Source {
    fn new(name: &str, held: &Held) -> Self {
        if is_pipe(name) && held.entries == usize::MAX {
            return Self::Once { name: name.to_owned() };
        }
        if is_pipe(name) {
            let folder = held.folder.clone();
            let kept = Kept { folder, bytes: Vec::new(), file: None };
            return Self::Pipe { name: name.to_owned(), kept: Rc::new(RefCell::new(kept)) };
        }
        let path = PathBuf::from(name);
        Self::File { stamp: stamp(&path), path }
    }

    fn first(&mut self) -> Result<Stream<'static>, DataError> {
        match self {
            Self::File { path, .. } => Stream::open(path),
            Self::Pipe { name, kept } => {
                let copy = Copying { from: open_source(name)?, kept: Rc::clone(kept) };
                Stream::new(BufReader::with_capacity(BUFFER, copy), Path::new(name))
            }
            Self::Once { name } => Stream::open_pipe(name),
        }
    }

    fn again(&self) -> Result<Stream<'static>, DataError> {
        match self {
            Self::File { path, .. } => Stream::open(path),
            Self::Pipe { name, kept } => {
                let path = Path::new(name);
                let kept =
                    kept.borrow_mut().reader().map_err(|e| DataError::io("read", path, e))?;
                Stream::new(BufReader::with_capacity(BUFFER, kept), path)
            }
            Self::Once { name } => Stream::open_pipe(name),
        }
    }

    fn has_changed(&self) -> bool {
        match self {
            Self::File { path, stamp: before } => stamp(path) != *before,
            Self::Pipe { .. } | Self::Once { .. } => false,
        }
    }
}

/// The length of a file, and when it was changed.
type Stamp = Option<(u64, SystemTime)>;

fn stamp(path: &Path) -> Stamp {
    let meta = path.metadata().ok()?;
    Some((meta.len(), meta.modified().ok()?))
}

/// What a pipe gave, which gives it once.
struct Kept {
    folder: PathBuf,
    bytes: Vec<u8>,
    file: Option<Unnamed>,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.bytes.len() + bytes.len() > KEPT {
            let mut file = Unnamed::create(&self.folder)?;
            file.write_all(&self.bytes)?;
            self.bytes = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                self.bytes.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// All of it, from the start; one such reader is used at a time.
    fn reader(&mut self) -> io::Result<Box<dyn Read>> {
        Ok(match &self.file {
            None => Box::new(Cursor::new(self.bytes.clone())),
            Some(file) => {
                let mut file = file.reader()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }
}

/// A reader that keeps what it reads.
struct Copying {
    from: Box<dyn Read>,
    kept: Rc<RefCell<Kept>>,
}

impl Read for Copying {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.kept.borrow_mut().add(&into[..n])?;
        Ok(n)
    }
}
