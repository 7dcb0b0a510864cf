//! Reading files: one module per format, and shared code.
//!
//! Sizes in headers are not trusted: buffers grow with the bytes that are read. An invalid file is
//! [`DataError::Malformed`] with the file, the position and the expected content.

pub(crate) mod arff;
mod cells;
pub(crate) mod cifar;
mod decide;
pub(crate) mod dialect;
mod foreign;
pub(crate) mod idx;
pub(crate) mod images;
pub(crate) mod lines;
mod notation;
pub(crate) mod npy;
pub(crate) mod parts;
mod plain;
mod roles;
mod stream;
pub(crate) mod table;
pub(crate) mod text;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use stream::{LineLimit, LongLine, MOST_IN_LINE, Stream, refuse_no_content, reserve};

use crate::{DataError, Dataset, Domain, OpenOptions, Shape, Split, SplitName, Values};

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

    /// A note on axes that can be read in two ways.
    pub(crate) fn ambiguity(&self) -> Option<String> {
        let &[_, 3, height, 3] = &self.dims[..] else { return None };
        Some(format!(
            "the array was read as images of 3×{height} pixels with 3 channels, not as 3 channels of \
             {height}×3 pixels (turn its axes if it is the latter)"
        ))
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

    /// Its values in a domain; `planes` is the size of examples whose channels are next to each other.
    pub(crate) fn into_split(self, domain: Domain, planes: Option<usize>) -> Split {
        let values = match domain {
            Domain::Real => Values::Reals(self.data.into_reals()),
            _ => Values::Bytes(self.data.into_bytes()),
        };
        let values = match (values, planes) {
            (Values::Bytes(v), Some(size)) => Values::Bytes(channels_first(&v, size)),
            (Values::Reals(v), Some(size)) => Values::Reals(channels_first(&v, size)),
            (values, None) => values,
        };
        Split { values, labels: self.labels.map(|labels| labels.numbers) }
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

/// What the choice of a domain depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    are_bits: bool,
    max_level: Option<u8>,
    /// Whether there are wider numbers than bytes.
    wide: bool,
    reals: bool,
}

impl Facts {
    /// Of no values.
    pub(crate) const NONE: Self =
        Self { are_bits: true, max_level: Some(0), wide: false, reals: false };

    pub(crate) fn of(data: &Data) -> Self {
        Self {
            are_bits: data.are_bits(),
            max_level: data.max_level(),
            wide: matches!(data, Data::Ints(_) | Data::Reals(_)),
            reals: matches!(data, Data::Reals(_)),
        }
    }

    /// Of both.
    pub(crate) fn and(self, other: Self) -> Self {
        let levels = self.max_level.zip(other.max_level);
        Self {
            are_bits: self.are_bits && other.are_bits,
            max_level: levels.map(|(a, b)| a.max(b)),
            wide: self.wide || other.wide,
            reals: self.reals || other.reals,
        }
    }
}

/// The shape of an example: as read, or the one that was asked for.
pub(crate) fn shape_of(
    name: &str,
    read: &Shape,
    options: &OpenOptions,
) -> Result<Shape, DataError> {
    match options.image_shape {
        Some([c @ (1 | 3), h, w]) if product(&[c, h, w]) == Some(read.size()) => {
            Ok(Shape::image(c, h, w))
        }
        Some([c, h, w]) => Err(DataError::Unsuitable(format!(
            "{name}: examples of {} entries are not images of {c}×{h}×{w} (channels × height × \
             width; 1 or 3 channels)",
            read.size()
        ))),
        None => Ok(read.clone()),
    }
}

/// Whether rows of a table hold the channels of a pixel next to each other.
pub(crate) fn is_in_rows(read: &Shape, shape: &Shape, options: &OpenOptions) -> bool {
    options.image_shape.is_some() && read.as_image().is_none() && shape.dims().first() == Some(&3)
}

/// The domain of values.
pub(crate) fn domain_of(
    name: &str,
    facts: Facts,
    shape: &Shape,
    options: &OpenOptions,
) -> Result<Domain, DataError> {
    let levels = facts.max_level.map(|most| u32::from(most) + 1);
    match (options.levels, levels) {
        (None, _) if options.real => Ok(Domain::Real),
        (Some(_), _) if options.real => Err(DataError::Unsuitable(format!(
            "{name}: real values and levels were asked for; ask for one of them"
        ))),
        (Some(asked), Some(found)) if (found..=256).contains(&asked) && asked >= 2 => {
            Ok(if asked == 2 { Domain::Binary } else { Domain::Levels(asked) })
        }
        (Some(asked), found) => Err(DataError::Unsuitable(format!(
            "{name}: asked for {asked} levels (2 to 256), but the values {}",
            found.map_or("are not whole numbers 0 to 255".into(), |n| format!("reach {}", n - 1))
        ))),
        _ if facts.are_bits => Ok(Domain::Binary),
        // A table of small whole numbers is a table of numbers; as images they are levels. Reals
        // are levels only where the shape was asked for.
        (None, Some(_))
            if !facts.wide
                || (shape.as_image().is_some()
                    && (!facts.reals || options.image_shape.is_some())) =>
        {
            Ok(Domain::Levels(256))
        }
        _ => Ok(Domain::Real),
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
    let shape = shape_of(name, &first.shape, options)?;
    let planes = is_in_rows(&first.shape, &shape, options).then(|| shape.size());
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
    let facts = splits.iter().map(|s| Facts::of(&s.1.data)).reduce(Facts::and);
    let domain = domain_of(name, facts.unwrap_or(Facts::NONE), &shape, options)?;
    let mut parts = [None, None, None];
    for (which, split) in splits {
        parts[which as usize] = Some(split.into_split(domain, planes));
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
