//! Reading files: one module per format, and shared code.
//!
//! Sizes in headers are not trusted: buffers grow with the bytes that are read. An invalid file is
//! [`DataError::Malformed`] with the file, the position and the expected content.

pub(crate) mod cifar;
pub(crate) mod dialect;
pub(crate) mod idx;
pub(crate) mod images;
pub(crate) mod lines;
pub(crate) mod npy;
pub(crate) mod table;
pub(crate) mod text;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::memory;
use crate::special::{STANDARD_INPUT, open_plain};
use crate::{DataError, Dataset, Domain, OpenOptions, Shape, Split, SplitName, Values};

/// The bytes of a file, decompressed if it is gzip or Zstandard, with the current position.
pub(crate) struct Stream<'a> {
    pub(crate) path: PathBuf,
    inner: Box<dyn Read + 'a>,
    at: u64,
    packed: bool,
}

impl Stream<'static> {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Stream::new(BufReader::with_capacity(1 << 16, open_plain(path)?), path)
    }

    /// A pipe, or standard input under the name `-`, which can be read once.
    pub(crate) fn open_pipe(name: &str) -> Result<Self, DataError> {
        let path = Path::new(name);
        if name == STANDARD_INPUT {
            return Stream::new(BufReader::with_capacity(1 << 16, io::stdin()), path);
        }
        let file = File::open(path).map_err(|e| DataError::io("read", path, e))?;
        Stream::new(BufReader::with_capacity(1 << 16, file), path)
    }
}

impl<'a> Stream<'a> {
    pub(crate) fn new(mut reader: impl BufRead + 'a, path: &Path) -> Result<Self, DataError> {
        let start = reader.fill_buf().map_err(|e| match e.raw_os_error() {
            Some(_) => DataError::io("read", path, e),
            None => {
                DataError::malformed(path, "byte 0", format!("the packed data is damaged: {e}"))
            }
        })?;
        let gz = start.starts_with(&GZIP);
        let zst = start.starts_with(&ZSTD);
        let inner: Box<dyn Read + 'a> = match (gz, zst) {
            (true, _) => Box::new(Unpacked::new(reader, Gzip)),
            (_, true) => Box::new(Unpacked::new(reader, Zstd)),
            _ => Box::new(reader),
        };
        Ok(Self { path: path.to_owned(), inner, at: 0, packed: gz || zst })
    }

    /// The member of an archive, whose errors are those of packed data.
    pub(crate) fn member(reader: impl BufRead + 'a, path: &Path) -> Self {
        Self { path: path.to_owned(), inner: Box::new(reader), at: 0, packed: true }
    }

    /// The position in the file, for errors.
    pub(crate) fn place(&self) -> String {
        format!("byte {}{}", self.at, if self.packed { " of the unpacked data" } else { "" })
    }

    pub(crate) fn bad(&self, problem: impl Into<String>) -> DataError {
        DataError::malformed(&self.path, self.place(), problem)
    }

    /// An error while reading: of the compression, or of the system.
    pub(crate) fn failed(&self, error: io::Error) -> DataError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.bad("the packed data ends too early"),
            // Every other error that is none of the system's.
            _ if error.raw_os_error().is_none() => {
                self.bad(format!("the packed data is damaged: {error}"))
            }
            _ => DataError::io("read", &self.path, error),
        }
    }

    /// Exactly `count` bytes of `what`.
    pub(crate) fn bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let path = self.path.clone();
        while (bytes.len() as u64) < count {
            let part = (count - bytes.len() as u64).min(BLOCK);
            let before = bytes.len();
            reserve(&mut bytes, part as usize, &path)?;
            let result = (&mut *self).take(part).read_to_end(&mut bytes);
            result.map_err(|e| self.failed(e))?;
            if bytes.len() == before {
                break;
            }
        }
        if (bytes.len() as u64) < count {
            return Err(self.bad(format!(
                "the file ends here; expected {count} bytes of {what}, found {}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Checks that the file ends here.
    pub(crate) fn end(&mut self) -> Result<(), DataError> {
        let mut one = [0];
        match self.read(&mut one) {
            Ok(0) => Ok(()),
            Ok(_) => {
                self.at -= 1;
                Err(self.bad("expected the end of the file by its header"))
            }
            Err(e) => Err(self.failed(e)),
        }
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A kind of compression, whose files may hold several parts one after another.
trait Packing<R> {
    type Decoder: Read;
    const MAGIC: &'static [u8];
    fn start(reader: R) -> io::Result<Self::Decoder>;
    fn end(decoder: Self::Decoder) -> R;
}

struct Gzip;

impl<R: BufRead> Packing<R> for Gzip {
    type Decoder = GzDecoder<R>;
    const MAGIC: &'static [u8] = &GZIP;

    fn start(reader: R) -> io::Result<GzDecoder<R>> {
        Ok(GzDecoder::new(reader))
    }

    fn end(decoder: GzDecoder<R>) -> R {
        decoder.into_inner()
    }
}

struct Zstd;

impl<R: BufRead> Packing<R> for Zstd {
    type Decoder = StreamingDecoder<R, FrameDecoder>;
    const MAGIC: &'static [u8] = &ZSTD;

    fn start(reader: R) -> io::Result<Self::Decoder> {
        let damaged = |e| io::Error::new(io::ErrorKind::InvalidData, format!("{e}"));
        StreamingDecoder::new(reader).map_err(damaged)
    }

    fn end(decoder: Self::Decoder) -> R {
        decoder.into_inner()
    }
}

/// The unpacked bytes of all parts, which zeros may follow.
struct Unpacked<R, P: Packing<R>> {
    decoder: Option<P::Decoder>,
    next: Option<R>,
}

impl<R: BufRead, P: Packing<R>> Unpacked<R, P> {
    fn new(reader: R, _: P) -> Self {
        Self { decoder: None, next: Some(reader) }
    }
}

impl<R: BufRead, P: Packing<R>> Read for Unpacked<R, P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(decoder) = &mut self.decoder {
                let n = decoder.read(into)?;
                if n > 0 {
                    return Ok(n);
                }
                self.next = self.decoder.take().map(P::end);
            }
            let Some(mut reader) = self.next.take() else { return Ok(0) };
            // Tapes and some tools pad with zeros.
            loop {
                let bytes = reader.fill_buf()?;
                let zeros = bytes.iter().take_while(|&&b| b == 0).count();
                let end = zeros < bytes.len() || bytes.is_empty();
                let more = zeros < bytes.len();
                reader.consume(zeros);
                match (end, more) {
                    (true, false) => return Ok(0),
                    (true, true) => break,
                    _ => {}
                }
            }
            if !reader.fill_buf()?.starts_with(&P::MAGIC[..1]) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "other bytes follow the end of the packed data",
                ));
            }
            self.decoder = Some(P::start(reader)?);
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Bytes that are read at a time.
const BLOCK: u64 = 1 << 18;

/// Makes room for `more` values, if there is memory for them.
pub(crate) fn reserve<T>(values: &mut Vec<T>, more: usize, path: &Path) -> Result<(), DataError> {
    if values.capacity() - values.len() >= more {
        return Ok(());
    }
    // While they are moved, both places are in use.
    let grown = values.len().saturating_add(more).max(values.capacity().saturating_mul(2));
    let needed = (grown as u64).saturating_mul(size_of::<T>() as u64);
    if needed > ALWAYS_THERE
        && let Some(free) = memory::available()
        && needed > free
    {
        return Err(DataError::Memory { path: path.to_owned(), needed, free });
    }
    values.reserve(grown - values.len());
    Ok(())
}

/// Bytes that are not checked.
const ALWAYS_THERE: u64 = 32 << 20;

/// The most bytes of a line of text.
pub(crate) const MOST_IN_LINE: u64 = 64 << 20;

/// Refuses lines that are too long while they are read; line breaks between quotes end none.
pub(crate) struct LineLimit<R> {
    inner: R,
    most: u64,
    length: u64,
    quoted: bool,
    has_quotes: bool,
}

impl<R> LineLimit<R> {
    /// With quotes, as CSV has them, or without.
    pub(crate) fn new(inner: R, has_quotes: bool) -> Self {
        Self { inner, most: MOST_IN_LINE, length: 0, quoted: false, has_quotes }
    }
}

impl<R: Read> Read for LineLimit<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        for &byte in &into[..n] {
            self.length += 1;
            match byte {
                b'\n' if !self.quoted => self.length = 0,
                b'"' if self.has_quotes => self.quoted = !self.quoted,
                _ => {}
            }
            if self.length > self.most {
                return Err(io::Error::other(LongLine));
            }
        }
        Ok(n)
    }
}

/// A line that is longer than any is read.
#[derive(Debug)]
pub(crate) struct LongLine;

impl LongLine {
    /// What an error says of it.
    pub(crate) const PROBLEM: &str = "the line is longer than 64 MiB, the most that is read";

    /// Whether it is the cause of an error.
    pub(crate) fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

impl std::fmt::Display for LongLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::PROBLEM)
    }
}

impl std::error::Error for LongLine {}

/// Numbers of a file, before a domain is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Booleans, or text that is all 0 and 1.
    Bits(Vec<u8>),
    /// Unsigned bytes.
    Bytes(Vec<u8>),
    /// Whole numbers of a wider type.
    Ints(Vec<i64>),
    /// Finite reals.
    Reals(Vec<f64>),
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bits(v) | Self::Bytes(v) => v.len(),
            Self::Ints(v) => v.len(),
            Self::Reals(v) => v.len(),
        }
    }

    fn are_bits(&self) -> bool {
        match self {
            Self::Bits(_) => true,
            Self::Bytes(v) => v.iter().all(|&x| x <= 1),
            Self::Ints(v) => v.iter().all(|&x| x == 0 || x == 1),
            Self::Reals(v) => v.iter().all(|&x| x == 0.0 || x == 1.0),
        }
    }

    /// The largest level, if every value can be one.
    fn max_level(&self) -> Option<u8> {
        match self {
            Self::Bits(v) | Self::Bytes(v) => Some(v.iter().copied().max().unwrap_or(0)),
            Self::Ints(v) => v.iter().try_fold(0, |m: u8, &x| Some(m.max(u8::try_from(x).ok()?))),
            Self::Reals(v) => v.iter().try_fold(0, |m: u8, &x| {
                ((0.0..=255.0).contains(&x) && x.fract() == 0.0).then_some(m.max(x as u8))
            }),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bits(v) | Self::Bytes(v) => v,
            // Called only after `max_level` or `are_bits` found that the values fit.
            Self::Ints(v) => v.into_iter().map(|x| x as u8).collect(),
            Self::Reals(v) => v.into_iter().map(|x| x as u8).collect(),
        }
    }

    fn into_reals(self) -> Vec<f64> {
        match self {
            Self::Bits(v) | Self::Bytes(v) => v.into_iter().map(f64::from).collect(),
            Self::Ints(v) => v.into_iter().map(|x| x as f64).collect(),
            Self::Reals(v) => v,
        }
    }
}

/// Numbers with the sizes of their axes; the first counts examples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Data,
}

impl Array {
    /// The labels of a file of class numbers.
    pub(crate) fn into_labels(self, path: &Path) -> Result<Labels, DataError> {
        let bad = |problem: String| DataError::malformed(path, "labels", problem);
        let column = self.dims.len() == 1 || (self.dims.len() == 2 && self.dims[1] == 1);
        if !column {
            return Err(bad(format!(
                "expected one label per example, found axes {:?}; leave labels out with --no-labels",
                self.dims
            )));
        }
        let numbers: Vec<i64> = match self.data {
            Data::Bits(v) | Data::Bytes(v) => v.into_iter().map(i64::from).collect(),
            Data::Ints(v) => v,
            Data::Reals(v) => match v.iter().position(|x| x.fract() != 0.0 || x.abs() > 1e15) {
                None => v.into_iter().map(|x| x as i64).collect(),
                Some(at) => {
                    return Err(bad(format!(
                        "label {at} is {}; expected whole numbers (real values are no classes; leave \
                         them out with --no-labels)",
                        v[at]
                    )));
                }
            },
        };
        let labels = Labels::of_numbers(&numbers);
        match labels.names.len() > MAX_CLASSES {
            true => Err(bad(format!(
                "{} different labels; expected {MAX_CLASSES} classes at most",
                labels.names.len()
            ))),
            false => Ok(labels),
        }
    }

    /// Examples, laid out `[channels, height, width]` if they are images.
    pub(crate) fn into_loaded(self, path: &Path) -> Result<Loaded, DataError> {
        let Self { dims, data } = self;
        let (shape, last) = match dims[..] {
            [_] => (Shape::columns(1), false),
            [_, columns] => (Shape::columns(columns), false),
            [_, h, w] => (Shape::image(1, h, w), false),
            [_, h, w, c @ (1 | 3)] => (Shape::image(c, h, w), c == 3),
            [_, c @ (1 | 3), h, w] => (Shape::image(c, h, w), false),
            _ => {
                return Err(DataError::malformed(
                    path,
                    "header",
                    format!(
                        "axes {dims:?}; expected [examples], [examples, columns], [examples, \
                         height, width], or four axes with 1 or 3 channels"
                    ),
                ));
            }
        };
        let size = shape.size();
        let data = match (last, data) {
            (false, data) => data,
            (true, Data::Bits(v)) => Data::Bits(channels_first(&v, size)),
            (true, Data::Bytes(v)) => Data::Bytes(channels_first(&v, size)),
            (true, Data::Ints(v)) => Data::Ints(channels_first(&v, size)),
            (true, Data::Reals(v)) => Data::Reals(channels_first(&v, size)),
        };
        Ok(Loaded { path: path.to_owned(), shape, data, labels: None })
    }
}

/// The most classes of a data set.
pub(crate) const MAX_CLASSES: usize = 1 << 20;

/// One class per example, and the names of the classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    /// The place of each example's class among the names.
    pub(crate) numbers: Vec<u32>,
    /// The names; not all need to occur.
    pub(crate) names: Vec<String>,
    /// Whether the order of the names is that of the published set.
    pub(crate) official: bool,
}

impl Labels {
    /// Labels from whole numbers, which are the names of their classes.
    pub(crate) fn of_numbers(labels: &[i64]) -> Self {
        let mut known = labels.to_vec();
        known.sort_unstable();
        known.dedup();
        let place = |label| known.binary_search(label).unwrap_or(0) as u32;
        Self {
            numbers: labels.iter().map(place).collect(),
            names: known.iter().map(ToString::to_string).collect(),
            official: false,
        }
    }

    /// Labels from the names of classes.
    pub(crate) fn of_names<S: AsRef<str>>(labels: &[S]) -> Self {
        let mut places: HashMap<&str, u32> = HashMap::new();
        let mut names = Vec::new();
        let numbers = labels.iter().map(|label| {
            *places.entry(label.as_ref()).or_insert_with(|| {
                names.push(label.as_ref().to_owned());
                (names.len() - 1) as u32
            })
        });
        Self { numbers: numbers.collect(), names, official: false }
    }
}

/// The classes that occur in any of the splits: in numerical order if all names are whole numbers,
/// else in alphabetical or official order. The labels are numbered accordingly.
fn common_classes(splits: &mut [(SplitName, Loaded)]) -> Vec<String> {
    let labels = || splits.iter().filter_map(|(_, loaded)| loaded.labels.as_ref());
    let official = labels().find(|labels| labels.official).map(|labels| labels.names.clone());
    let mut occurring: BTreeSet<&str> = BTreeSet::new();
    for labels in labels() {
        let mut seen = vec![false; labels.names.len()];
        labels.numbers.iter().for_each(|&n| seen[n as usize] = true);
        let names = labels.names.iter().zip(seen);
        occurring.extend(names.filter(|(_, seen)| *seen).map(|(name, _)| name.as_str()));
    }
    let mut names: Vec<String> = match official {
        Some(all) => all.into_iter().filter(|name| occurring.contains(name.as_str())).collect(),
        None => occurring.into_iter().map(str::to_owned).collect(),
    };
    let is_official = labels().any(|labels| labels.official);
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if let (Some(numbers), false) = (numbers, is_official) {
        let mut pairs: Vec<(i64, String)> = numbers.into_iter().zip(names).collect();
        pairs.sort();
        names = pairs.into_iter().map(|(_, name)| name).collect();
    }
    let places: HashMap<&str, u32> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), i as u32)).collect();
    for (_, loaded) in splits.iter_mut() {
        if let Some(labels) = &mut loaded.labels {
            let of: Vec<u32> = labels
                .names
                .iter()
                .map(|name| places.get(name.as_str()).copied().unwrap_or(0))
                .collect();
            labels.numbers.iter_mut().for_each(|n| *n = of[*n as usize]);
        }
    }
    names
}

/// From channels last to channels first.
pub(crate) fn channels_first<T: Copy>(values: &[T], size: usize) -> Vec<T> {
    values
        .chunks_exact(size.max(3))
        .flat_map(|example| (0..3).flat_map(|c| example.iter().skip(c).step_by(3).copied()))
        .collect()
}

/// The number of entries of an array with these axes; `None` if it overflows.
pub(crate) fn product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= isize::MAX as usize)
}

/// One split of a data set as read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) shape: Shape,
    pub(crate) data: Data,
    pub(crate) labels: Option<Labels>,
}

impl Loaded {
    pub(crate) fn with_labels(mut self, labels: Labels) -> Result<Self, DataError> {
        let examples = self.data.len() / self.shape.size().max(1);
        if labels.numbers.len() != examples {
            return Err(DataError::malformed(
                &self.path,
                "labels",
                format!("{} labels for {examples} examples", labels.numbers.len()),
            ));
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// Splits off the last `count` examples.
    pub(crate) fn split_last(mut self, count: usize) -> Result<(Self, Self), DataError> {
        let size = self.shape.size();
        let examples = self.data.len() / size.max(1);
        if examples <= count {
            return Err(DataError::malformed(
                &self.path,
                "end of the file",
                format!("{examples} examples; expected more than the {count} kept for validation"),
            ));
        }
        let at = (examples - count) * size;
        let data = match &mut self.data {
            Data::Bits(v) => Data::Bits(v.split_off(at)),
            Data::Bytes(v) => Data::Bytes(v.split_off(at)),
            Data::Ints(v) => Data::Ints(v.split_off(at)),
            Data::Reals(v) => Data::Reals(v.split_off(at)),
        };
        let labels = self.labels.as_mut().map(|l| Labels {
            numbers: l.numbers.split_off(examples - count),
            names: l.names.clone(),
            official: l.official,
        });
        let last = Self { path: self.path.clone(), shape: self.shape.clone(), data, labels };
        Ok((self, last))
    }
}

/// A data set from the splits that were read, in a common domain.
pub(crate) fn assemble(
    name: &str,
    mut splits: Vec<(SplitName, Loaded)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    options.refuse_fold(name)?;
    if options.no_labels {
        splits.iter_mut().for_each(|(_, loaded)| loaded.labels = None);
    }
    let class_names = common_classes(&mut splits);
    let Some((_, first)) = splits.first() else {
        return Err(DataError::Unsuitable(format!("{name}: there is no data")));
    };
    let shape = match options.image_shape {
        Some([c @ (1 | 3), h, w]) if product(&[c, h, w]) == Some(first.shape.size()) => {
            Shape::image(c, h, w)
        }
        Some([c, h, w]) => {
            return Err(DataError::Unsuitable(format!(
                "{name}: examples of {} entries are not images of {c}×{h}×{w} (channels × height × \
                 width; 1 or 3 channels)",
                first.shape.size()
            )));
        }
        None => first.shape.clone(),
    };
    // Rows of a table hold the channels of a pixel next to each other.
    let rows_to_planes = first.shape.as_image().is_none() && shape.dims().first() == Some(&3);
    for (which, split) in &splits {
        if split.shape != first.shape {
            return Err(DataError::malformed(
                &split.path,
                format!("{which} split"),
                format!("examples of {}; expected {} as before", split.shape, first.shape),
            ));
        }
        if split.data.len() == 0 {
            return Err(DataError::malformed(
                &split.path,
                format!("{which} split"),
                "no examples; expected at least one",
            ));
        }
    }
    let wide = splits.iter().any(|s| matches!(s.1.data, Data::Ints(_) | Data::Reals(_)));
    let levels = splits
        .iter()
        .try_fold(0, |most: u32, s| Some(most.max(u32::from(s.1.data.max_level()?) + 1)));
    let whole_reals = splits.iter().any(|s| matches!(s.1.data, Data::Reals(_)));
    let domain = match (options.levels, levels) {
        (None, _) if options.real => Domain::Real,
        (Some(_), _) if options.real => {
            return Err(DataError::Unsuitable(format!(
                "{name}: real values and levels were asked for; ask for one of them"
            )));
        }
        (Some(asked), Some(found)) if (found..=256).contains(&asked) && asked >= 2 => {
            if asked == 2 { Domain::Binary } else { Domain::Levels(asked) }
        }
        (Some(asked), found) => {
            return Err(DataError::Unsuitable(format!(
                "{name}: asked for {asked} levels (2 to 256), but the values {}",
                found.map_or("are not whole numbers 0 to 255".into(), |n| format!(
                    "reach {}",
                    n - 1
                ))
            )));
        }
        _ if splits.iter().all(|s| s.1.data.are_bits()) => Domain::Binary,
        // A table of small whole numbers is a table of numbers; as images they are levels. Reals
        // are levels only where the shape was asked for.
        (None, Some(_))
            if !wide
                || (shape.as_image().is_some()
                    && (!whole_reals || options.image_shape.is_some())) =>
        {
            Domain::Levels(256)
        }
        _ => Domain::Real,
    };
    let mut parts = [None, None, None];
    for (which, split) in splits {
        let mut values = match domain {
            Domain::Real => Values::Reals(split.data.into_reals()),
            _ => Values::Bytes(split.data.into_bytes()),
        };
        if options.image_shape.is_some() && rows_to_planes {
            values = match values {
                Values::Bytes(v) => Values::Bytes(channels_first(&v, shape.size())),
                Values::Reals(v) => Values::Reals(channels_first(&v, shape.size())),
            };
        }
        let labels = split.labels.map(|labels| labels.numbers);
        parts[which as usize] = Some(Split { values, labels });
    }
    let [mut train, mut valid, mut test] = parts;
    if train.is_none() && options.whole && (valid.is_none() || test.is_none()) {
        train = valid.take().or(test.take());
    }
    let train = train.ok_or_else(|| {
        DataError::Unsuitable(format!("{name}: it has other splits and no training split"))
    })?;
    let mut data = Dataset::new(name, domain, shape, train, valid, test)?;
    data.class_names = class_names;
    Ok(data)
}

/// A format of data in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// MNIST's: a magic number, sizes, row-major values.
    Idx,
    /// Rows of numbers separated by blanks or commas (`.amat`, `.data`).
    Text,
    /// One NumPy array.
    Npy,
    /// Several NumPy arrays.
    Npz,
    /// A table with or without a header.
    Csv,
    /// CIFAR-10 binary records.
    Cifar,
    /// An archive of PNG or JPEG images, or of CIFAR-10 batches.
    Tar,
    /// One PNG or JPEG image.
    Image,
}

/// Parses bytes of a given format, compressed by gzip or not; `name` is the file name for errors.
///
/// Missing splits are not created.
///
/// # Errors
/// If the bytes are not valid in that format.
pub fn parse(
    format: Format,
    bytes: &[u8],
    name: &str,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let path = Path::new(name);
    let mut stream = Stream::new(bytes, path)?;
    let train = match format {
        Format::Idx => idx::read(&mut stream)?.into_loaded(path)?,
        Format::Text => text::read(&mut stream)?,
        Format::Npy => npy::read(&mut stream)?.into_loaded(path)?,
        Format::Npz => {
            return npy::read_npz(io::Cursor::new(bytes), path, options)?
                .into_dataset(name, options);
        }
        Format::Csv => return table::read(stream, options)?.into_dataset(name, options),
        Format::Cifar => cifar::read(&mut stream)?,
        Format::Tar => return images::read_tars(name, vec![(None, stream)], options),
        Format::Image => {
            let image = images::decode(bytes, path, options)?;
            return images::assemble(name, vec![(path.to_owned(), image)], options);
        }
    };
    assemble(name, vec![(SplitName::Train, train)], options)
}
