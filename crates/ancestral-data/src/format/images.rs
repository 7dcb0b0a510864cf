//! Images: folders and tars of them, with one folder per class, or as `split/class/file`.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, imageops};
use rayon::prelude::*;

use super::{Data, Facts, Labels, Loaded, Stream, cifar, refuse_no_content};
use crate::names::are_alike;
use crate::special::{check_plain, read_plain};
use crate::{Background, DataError, Dataset, OpenOptions, Shape, SplitName};

/// The largest compression ratio of PNG and JPEG, roughly.
const MAX_PACKING: u64 = 1100;
/// Pixels of an image of one color, which other formats store in a few bytes.
const FLAT: u64 = 1 << 22;
const MAX_SIDE: u32 = 8192;
const MAX_DEPTH: usize = 8;
/// Names of classes that are compared with one another.
const MOST_COMPARED: usize = 1000;

/// An image, its values pixel by pixel.
pub(crate) struct Decoded {
    look: Look,
    /// Three bytes per pixel, or one if the image is grayscale.
    bytes: Vec<u8>,
}

/// What is known of an image without its pixels.
#[derive(Clone, Copy)]
struct Look {
    width: usize,
    height: usize,
    gray: bool,
    /// Whether its EXIF orientation was applied.
    turned: bool,
}

fn format_of(path: &Path) -> Option<ImageFormat> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "png" => Some(ImageFormat::Png),
        "jpg" | "jpeg" | "jpe" | "jfif" => Some(ImageFormat::Jpeg),
        "webp" => Some(ImageFormat::WebP),
        "bmp" => Some(ImageFormat::Bmp),
        "tif" | "tiff" => Some(ImageFormat::Tiff),
        "gif" => Some(ImageFormat::Gif),
        _ => None,
    }
}

const READ: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
];

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file or a folder above it is hidden, as `.ipynb_checkpoints`, or a copy that macOS puts
/// into archives.
fn is_passed_over(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(name) => is_hidden(name) || name == "__MACOSX",
        _ => false,
    })
}

pub(crate) fn is_image(path: &Path) -> bool {
    !path.file_name().is_some_and(is_hidden) && format_of(path).is_some()
}

/// Files that are no images, by kind.
#[derive(Default)]
struct Passed {
    kinds: BTreeMap<String, usize>,
    hidden: usize,
    links: usize,
}

impl Passed {
    fn add(&mut self, path: &Path) {
        if path.file_name().is_some_and(is_hidden) {
            self.hidden += 1;
            return;
        }
        let kind = match path.extension() {
            Some(extension) => format!(".{}", extension.to_string_lossy().to_lowercase()),
            None => "without an extension".to_owned(),
        };
        *self.kinds.entry(kind).or_default() += 1;
    }

    fn list(&self) -> String {
        let mut parts: Vec<String> =
            self.kinds.iter().take(20).map(|(kind, n)| format!("{n} {kind}")).collect();
        if self.hidden > 0 {
            parts.push(format!("{} hidden", self.hidden));
        }
        if self.links > 0 {
            parts.push(format!("{} linked again", self.links));
        }
        parts.join(", ")
    }

    fn note(&self) -> Option<String> {
        let list = self.list();
        (!list.is_empty()).then(|| format!("files and folders passed over: {list}"))
    }
}

/// Whether the scans of a JPEG end with the marker of its end; what follows it does not matter.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    let mut scanned = false;
    while at + 1 < bytes.len() {
        if bytes[at] != 0xFF {
            // Compressed data, or bytes between segments that decoders pass over.
            at += 1;
            continue;
        }
        match bytes[at + 1] {
            0xD9 => return true,
            0xFF => at += 1,
            // Escaped bytes, restarts and the start have no length.
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            marker => {
                scanned |= marker == 0xDA;
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
        }
    }
    // Without a scan there is nothing to be cut, and decoding fails by itself.
    !scanned
}

pub(crate) fn decode(
    bytes: &[u8],
    path: &Path,
    options: &OpenOptions,
) -> Result<Decoded, DataError> {
    let bad = |problem: String| DataError::malformed(path, "image", problem);
    refuse_no_content(bytes, path)?;
    let guess = image::guess_format(bytes).ok();
    let format = guess.filter(|f| READ.contains(f)).ok_or_else(|| {
        bad("neither PNG, JPEG, WebP, BMP, TIFF nor GIF by its first bytes".into())
    })?;
    if format == ImageFormat::Jpeg && !jpeg_has_end(bytes) {
        return Err(bad("the file ends too early: its JPEG data has no end".into()));
    }
    if has_large_profile(bytes, format) {
        return Err(bad(format!(
            "its color profile (ICC) has more than {} MiB, the most that is read",
            MOST_IN_PROFILE >> 20
        )));
    }
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) = reader()
        .into_dimensions()
        .map_err(|e| bad(format!("its header cannot be read: {}", cause(&e))))?;
    let flat = match format {
        ImageFormat::Png | ImageFormat::Jpeg => 1 << 16,
        _ => FLAT,
    };
    let allowed = bytes.len() as u64 * MAX_PACKING + flat;
    if width == 0
        || height == 0
        || width > MAX_SIDE
        || height > MAX_SIDE
        || u64::from(width) * u64::from(height) > allowed
    {
        return Err(bad(format!(
            "{width}×{height} pixels in {} bytes; expected 1 to {MAX_SIDE} a side, and no more \
             than the file can hold",
            bytes.len()
        )));
    }
    let mut reader = reader();
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(allowed.saturating_mul(16));
    reader.limits(limits.clone());
    let undecodable = |e: image::ImageError| bad(format!("cannot be decoded: {}", cause(&e)));
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    limits.reserve(decoder.total_bytes()).map_err(undecodable)?;
    decoder.set_limits(limits).map_err(undecodable)?;
    // Orientation is advice: what cannot be read is none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    image.apply_orientation(orientation);
    if image.color().has_alpha() {
        image = opaque(&image, options.background)
            .ok_or_else(|| DataError::Transparent { path: path.to_owned() })?;
    }
    if let Some((height, width)) = options.resize {
        let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=MAX_SIDE).contains(n));
        let (Some(width), Some(height)) = (side(width), side(height)) else {
            return Err(DataError::Unsuitable(format!(
                "cannot resize to {height}×{width}; give 1 to {MAX_SIDE} pixels a side"
            )));
        };
        image = image.resize_exact(width, height, imageops::FilterType::Triangle);
    }
    let gray = options.gray || !image.color().has_color();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let bytes = if gray { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
    let turned = orientation != Orientation::NoTransforms;
    Ok(Decoded { look: Look { width, height, gray, turned }, bytes })
}

/// The cause of an error of decoding, in words.
fn cause(error: &image::ImageError) -> String {
    let text = error.to_string();
    // Decoders say what their code saw.
    if text.contains("CRC error") {
        return "it is damaged (a checksum does not match)".to_owned();
    }
    if text.contains("unexpected end of file") || text.contains("failed to fill whole buffer") {
        return "the file ends too early".to_owned();
    }
    text
}

/// The most bytes of a color profile.
const MOST_IN_PROFILE: u64 = 16 << 20;

/// Whether an image has a color profile that is larger than any is read, unpacked.
fn has_large_profile(bytes: &[u8], format: ImageFormat) -> bool {
    let number = |at: usize, width: usize| {
        let bytes = bytes.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().fold(0u64, |n, &b| n << 8 | u64::from(b)))
    };
    match format {
        ImageFormat::Png => {
            // A signature, then chunks of length, name, content and checksum.
            let mut at = 8usize;
            while let (Some(length), Some(name)) = (number(at, 4), bytes.get(at + 4..at + 8)) {
                let content = bytes.get(at + 8..).unwrap_or_default();
                let content = &content[..content.len().min(length as usize)];
                if name == b"iCCP"
                    && let Some(end) = content.iter().position(|&b| b == 0)
                {
                    // Behind the name and the method.
                    let packed = content.get(end + 2..).unwrap_or_default();
                    let mut unpacked = ZlibDecoder::new(packed).take(MOST_IN_PROFILE + 1);
                    // In blocks; what is damaged is the decoder's to say.
                    let size = std::io::copy(&mut unpacked, &mut std::io::sink());
                    if size.is_ok_and(|size| size > MOST_IN_PROFILE) {
                        return true;
                    }
                }
                if name == b"IDAT" {
                    break;
                }
                at = at.saturating_add(12).saturating_add(length as usize);
            }
            false
        }
        ImageFormat::Jpeg => {
            // Two bytes, then segments of marker, length and content, until the scan begins.
            let (mut at, mut sum) = (2usize, 0u64);
            while let (Some(marker), Some(length)) = (number(at, 2), number(at + 2, 2)) {
                if marker >> 8 != 0xff || marker == 0xffda {
                    break;
                }
                let content = bytes.get(at + 4..).unwrap_or_default();
                if marker == 0xffe2 && content.starts_with(b"ICC_PROFILE\0") {
                    sum += length;
                }
                at = at.saturating_add(2).saturating_add(length as usize);
            }
            sum > MOST_IN_PROFILE
        }
        _ => false,
    }
}

/// The image without transparency, over the background; `None` if it has transparent pixels and
/// there is no background.
fn opaque(image: &DynamicImage, background: Option<Background>) -> Option<DynamicImage> {
    let mut rgba = image.to_rgba8();
    if rgba.pixels().any(|pixel| pixel.0[3] < 255) {
        let behind = match background? {
            Background::White => 255,
            Background::Black => 0,
        };
        for pixel in rgba.pixels_mut() {
            let alpha = u32::from(pixel.0[3]);
            for c in &mut pixel.0[..3] {
                *c = ((u32::from(*c) * alpha + behind * (255 - alpha) + 127) / 255) as u8;
            }
            pixel.0[3] = 255;
        }
    }
    let whole = DynamicImage::ImageRgba8(rgba);
    Some(match image.color().has_color() {
        true => DynamicImage::ImageRgb8(whole.into_rgb8()),
        false => DynamicImage::ImageLuma8(whole.into_luma8()),
    })
}

/// Reads every image under a folder.
pub(crate) fn read_folder(
    name: &str,
    folder: &Path,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let Walk { files, passed, .. } = Walk::through(folder)?;
    let images = files
        .into_par_iter()
        .map(|file| {
            let decoded = read(&folder.join(&file), options)?;
            Ok((file, decoded))
        })
        .collect::<Vec<Result<_, DataError>>>();
    let images = images.into_iter().collect::<Result<_, _>>()?;
    gathered(name, images, &passed, options)
}

fn read(file: &Path, options: &OpenOptions) -> Result<Decoded, DataError> {
    decode(&read_plain(file)?, file, options)
}

/// The images of a folder, which are read in parts.
pub(crate) struct ImageFiles {
    folder: PathBuf,
    /// Below the folder, in order.
    files: Vec<PathBuf>,
    options: OpenOptions,
    size: [usize; 2],
    gray: bool,
    pub(crate) facts: Facts,
    pub(crate) labels: Option<Labels>,
    pub(crate) notes: Vec<String>,
}

impl ImageFiles {
    /// Looks at all images of a folder; `None` if it has splits, or at most so many entries.
    pub(crate) fn look_through(
        name: &str,
        folder: &Path,
        options: &OpenOptions,
        entries: usize,
    ) -> Result<Option<Self>, DataError> {
        let Walk { mut files, passed, .. } = Walk::through(folder)?;
        if files.iter().any(|file| find_split(file).is_some()) {
            return Ok(None);
        }
        files.sort();
        let looks = files
            .par_iter()
            .map(|file| {
                let Decoded { look, bytes } = read(&folder.join(file), options)?;
                Ok((look, Facts::of(&Data::Bytes(bytes))))
            })
            .collect::<Vec<Result<_, DataError>>>();
        let looks = looks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let facts = looks.iter().map(|(_, facts)| *facts).fold(Facts::NONE, Facts::and);
        let images: Vec<(&Path, Look)> =
            files.iter().zip(&looks).map(|(file, (look, _))| (file.as_path(), *look)).collect();
        let Some((_, first)) = images.first() else { return Ok(None) };
        let size = [first.width, first.height];
        let Arranged { gray, places, labeled, mut notes } = arrange(name, &images, options)?;
        let values = size[0] * size[1] * if gray { 1 } else { 3 };
        if images.len().saturating_mul(values) <= entries {
            return Ok(None);
        }
        notes.extend(passed.note());
        notes.extend(turned(images.iter().map(|(_, look)| look)));
        let labels = match labeled[SplitName::Train as usize] {
            true => {
                let classes = places.iter().filter_map(|(_, class)| class.as_deref());
                Some(class_labels(name, &classes.collect::<Vec<_>>())?)
            }
            false => None,
        };
        let (folder, options) = (folder.to_owned(), options.clone());
        Ok(Some(Self { folder, files, options, size, gray, facts, labels, notes }))
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape::image(if self.gray { 1 } else { 3 }, self.size[1], self.size[0])
    }

    /// So many images after the first `before`; fewer values if an image has changed.
    pub(crate) fn rows(&self, before: usize, rows: usize) -> Result<Loaded, DataError> {
        let range = before..(before + rows).min(self.files.len());
        let images = self.files[range.clone()]
            .par_iter()
            .map(|file| read(&self.folder.join(file), &self.options))
            .collect::<Vec<_>>();
        let mut values = Vec::with_capacity(rows * self.shape().size());
        for image in images {
            let image = image?;
            let Look { width, height, gray, .. } = image.look;
            if [width, height] == self.size && (gray || !self.gray) {
                push(&mut values, image, self.gray);
            }
        }
        let labels = self.labels.as_ref().map(|labels| Labels {
            numbers: labels.numbers[range].to_vec(),
            names: labels.names.clone(),
            official: false,
        });
        let data = Data::Bytes(values);
        Ok(Loaded { path: self.folder.clone(), shape: self.shape(), data, labels })
    }
}

/// Adds the values of an image, channel by channel.
fn push(values: &mut Vec<u8>, image: Decoded, gray: bool) {
    match (gray, image.look.gray) {
        (true, _) => values.extend_from_slice(&image.bytes),
        (false, true) => (0..3).for_each(|_| values.extend_from_slice(&image.bytes)),
        (false, false) => {
            values.extend(super::channels_first(&image.bytes, image.bytes.len()));
        }
    }
}

/// A walk through the folders of a data set.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    passed: Passed,
    /// Links to folders, with their depth.
    links: Vec<(PathBuf, usize)>,
    /// The real folders that were read.
    seen: HashSet<PathBuf>,
}

impl Walk {
    /// Walks through a folder; its files are named from there.
    fn through(folder: &Path) -> Result<Self, DataError> {
        let mut walk = Self::default();
        walk.enter(folder, 0)?;
        // Links come after all real folders, so that each folder is read under its own name.
        while !walk.links.is_empty() {
            let mut links = std::mem::take(&mut walk.links);
            links.sort();
            for (path, depth) in links {
                walk.enter(&path, depth)?;
            }
        }
        for file in &mut walk.files {
            if let Ok(below) = file.strip_prefix(folder) {
                *file = below.to_owned();
            }
        }
        Ok(walk)
    }

    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), DataError> {
        let failed = |e| DataError::io("list", folder, e);
        if !self.seen.insert(folder.canonicalize().map_err(failed)?) {
            self.passed.links += 1;
            return Ok(());
        }
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.file_name().is_some_and(|name| is_hidden(name) || name == "__MACOSX") {
                self.passed.hidden += 1;
            } else if path.is_dir() {
                // Deep enough for any layout.
                if depth >= MAX_DEPTH {
                    continue;
                }
                match path.is_symlink() {
                    true => self.links.push((path, depth + 1)),
                    false => self.enter(&path, depth + 1)?,
                }
            } else if path.is_symlink() && !path.exists() {
                let target = fs::read_link(&path).unwrap_or_default();
                return Err(DataError::malformed(
                    &path,
                    "link",
                    format!(
                        "it points to {}, which does not exist; mend or delete it",
                        target.display()
                    ),
                ));
            } else if is_image(&path) {
                check_plain(&path)?;
                self.files.push(path);
            } else {
                self.passed.add(&path);
            }
        }
        Ok(())
    }
}

/// Reads tars of images, each for a given split or with the splits in its paths; or CIFAR-10's tar.
pub(crate) fn read_tars(
    name: &str,
    tars: Vec<(Option<SplitName>, Stream<'_>)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let mut packed = Vec::new();
    let mut batches = Vec::new();
    let mut passed = Passed::default();
    for (split, mut stream) in tars {
        let path = stream.path.clone();
        let mut archive = tar::Archive::new(&mut stream);
        let broken = |e: std::io::Error| {
            let problem = match e.to_string().contains("cksum") {
                true => "not a tar archive".to_owned(),
                false => format!("cannot be unpacked: {e}"),
            };
            DataError::malformed(&path, "archive", problem)
        };
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let inside = entry.path().map_err(broken)?.into_owned();
            let batch = inside.file_name().and_then(|n| n.to_str()).is_some_and(is_batch);
            if is_python_batch(&inside) {
                return Err(python_version(&path));
            }
            if is_passed_over(&inside) {
                passed.hidden += 1;
                continue;
            }
            if !batch && !is_image(&inside) {
                passed.add(&inside);
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            let place = path.join(&inside);
            if (bytes.len() as u64) < entry.size() {
                return Err(DataError::malformed(
                    &place,
                    "archive",
                    format!("{} bytes; expected {} by the header", bytes.len(), entry.size()),
                ));
            }
            if batch {
                batches.push((inside, cifar::read(&mut Stream::new(&bytes[..], &place)?)?));
            } else {
                let inside = match split {
                    // A tar of one split need not name the split in its paths.
                    Some(s) if find_split(&inside).is_none() => Path::new(s.as_str()).join(inside),
                    _ => inside,
                };
                packed.push((inside, place, bytes));
            }
        }
    }
    if !batches.is_empty() {
        batches.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<String> = batches
            .iter()
            .filter_map(|b| Some(b.0.file_name()?.to_string_lossy().into_owned()))
            .collect();
        let note = check_batches(Path::new(name), &names)?;
        let (test, train): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|b| b.0.ends_with("test_batch.bin"));
        let parts = [(SplitName::Train, train), (SplitName::Test, test)];
        let splits = parts
            .into_iter()
            .filter_map(|(s, b)| {
                Some((s, cifar::join(b.into_iter().map(|(_, batch)| batch).collect())?))
            })
            .collect();
        let mut data = super::assemble(name, splits, options)?;
        data.notes.extend(note);
        return Ok(data);
    }
    // Results are gathered in order, so that the first of several errors is reported.
    let decoded: Vec<Result<_, DataError>> = packed
        .into_par_iter()
        .map(|(inside, place, bytes)| Ok((inside, decode(&bytes, &place, options)?)))
        .collect();
    let images = decoded.into_iter().collect::<Result<_, _>>()?;
    gathered(name, images, &passed, options)
}

/// Whether a file is a batch of CIFAR's version for Python.
pub(crate) fn is_python_batch(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let number = name.strip_prefix("data_batch_").is_some_and(|n| n.parse::<u8>().is_ok());
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    number || name == "batches.meta" || folder == "cifar-10-batches-py"
}

/// The error for CIFAR's version for Python.
pub(crate) fn python_version(path: &Path) -> DataError {
    DataError::malformed(
        path,
        "files",
        "the Python version of CIFAR-10, whose batches are pickled; expected the binary version, \
         cifar-10-binary.tar.gz",
    )
}

/// Refuses batches with a gap; a note if the last ones are missing.
pub(crate) fn check_batches(place: &Path, names: &[String]) -> Result<Option<String>, DataError> {
    let number = |name: &String| -> Option<u8> {
        let name = name.strip_suffix(".gz").unwrap_or(name);
        name.strip_prefix("data_batch_")?.strip_suffix(".bin")?.parse().ok()
    };
    let found: Vec<u8> = names.iter().filter_map(number).collect();
    let last = found.iter().copied().max().unwrap_or(0);
    let missing = |till: u8| (1..=till).filter(|n| !found.contains(n)).collect::<Vec<u8>>();
    match missing(last).first() {
        Some(n) => Err(DataError::MissingFile {
            name: format!("data_batch_{n}.bin"),
            folder: place.to_owned(),
        }),
        None if (1..5).contains(&last) => Ok(Some(format!(
            "data_batch_{}.bin to data_batch_5.bin are not there; {last} of 5 batches were read",
            last + 1
        ))),
        None => Ok(None),
    }
}

/// Whether a file has the name of a CIFAR-10 batch.
pub(crate) fn is_batch(name: &str) -> bool {
    name == "test_batch.bin" || (name.starts_with("data_batch_") && name.ends_with(".bin"))
}

fn find_split(path: &Path) -> Option<(usize, SplitName)> {
    let parts = folders(path);
    parts.iter().enumerate().find_map(|(i, part)| {
        let split = match part.to_str()?.to_ascii_lowercase().as_str() {
            "train" | "training" => SplitName::Train,
            "valid" | "val" | "validation" => SplitName::Valid,
            "test" | "testing" => SplitName::Test,
            _ => return None,
        };
        Some((i, split))
    })
}

/// The folders above a file.
fn folders(path: &Path) -> Vec<&OsStr> {
    let parent = path.parent().unwrap_or(Path::new(""));
    parent
        .components()
        .filter_map(|c| match c {
            Component::Normal(part) => Some(part),
            _ => None,
        })
        .collect()
}

/// A data set of decoded images, with notes on the files that were no images.
fn gathered(
    name: &str,
    images: Vec<(PathBuf, Decoded)>,
    passed: &Passed,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    if images.is_empty() {
        let list = passed.list();
        let found = if list.is_empty() { String::new() } else { format!("; found {list}") };
        return Err(DataError::malformed(
            name,
            "files",
            format!("no PNG or JPEG image among them, nor WebP, BMP, TIFF or GIF{found}"),
        ));
    }
    let turned = turned(images.iter().map(|(_, image)| &image.look));
    let mut data = assemble(name, images, options)?;
    data.notes.extend(passed.note());
    data.notes.extend(turned);
    Ok(data)
}

fn turned<'a>(images: impl Iterator<Item = &'a Look>) -> Option<String> {
    match images.filter(|image| image.turned).count() {
        0 => None,
        1 => Some("1 image was turned as EXIF says".to_owned()),
        n => Some(format!("{n} images were turned as EXIF says")),
    }
}

/// Where images belong.
struct Arranged {
    gray: bool,
    /// The split of each image, and its class.
    places: Vec<(SplitName, Option<OsString>)>,
    /// Whether the images of each split have classes.
    labeled: [bool; 3],
    notes: Vec<String>,
}

/// Arranges images, which are in the order of their paths, by these.
fn arrange(
    name: &str,
    images: &[(&Path, Look)],
    options: &OpenOptions,
) -> Result<Arranged, DataError> {
    let gray = images.iter().all(|p| p.1.gray);
    let has_splits = images.iter().any(|p| find_split(p.0).is_some());
    // Without splits, folders that all paths share are not classes.
    let shared = images
        .iter()
        .map(|p| folders(p.0))
        .reduce(|a, b| a.into_iter().zip(b).take_while(|(x, y)| x == y).map(|p| p.0).collect())
        .unwrap_or_default();
    // Unless the only one has the name of a known class.
    let is_class = |folder: &&OsStr| {
        options.expected.classes.iter().any(|class| *class == folder.to_string_lossy())
    };
    let only = shared.last().filter(|_| !has_splits && !options.no_labels).copied();
    let one_class = shared.iter().position(is_class);
    let shared = one_class.unwrap_or(shared.len());
    // The split of each image, and its class: the first folder below.
    let mut places: Vec<(SplitName, Option<OsString>)> = Vec::with_capacity(images.len());
    for &(path, _) in images {
        let above = folders(path);
        let (skip, split) = match find_split(path) {
            Some((i, split)) => (i + 1, split),
            None if has_splits => {
                return Err(DataError::malformed(
                    Path::new(name).join(path),
                    "path",
                    "is in no train, valid or test folder, as other images here are",
                ));
            }
            None => (shared, SplitName::Train),
        };
        places.push((split, above.get(skip).map(|&class| class.to_owned())));
    }
    let mut notes = Vec::new();
    if let (Some(folder), None) = (only, one_class)
        && places.iter().all(|(_, class)| class.is_none())
    {
        notes.push(format!(
            "all images are in the folder {}, which is no class, as there is no other",
            folder.to_string_lossy()
        ));
    }
    let mut labeled = [false; 3];
    for split in SPLITS {
        labeled[split as usize] =
            !options.no_labels && are_labeled(name, images, &places, split, &mut notes)?;
    }
    let sizes = images.iter().map(|(path, look)| (path, [look.width, look.height]));
    let expected = images.first().map_or([0, 0], |(_, look)| [look.width, look.height]);
    if let Some((path, size)) = sizes.into_iter().find(|(_, size)| *size != expected) {
        return Err(DataError::ImageSize { path: Path::new(name).join(path), size, expected });
    }
    Ok(Arranged { gray, places, labeled, notes })
}

const SPLITS: [SplitName; 3] = [SplitName::Train, SplitName::Valid, SplitName::Test];

/// A data set of decoded images, in the order of their paths.
pub(crate) fn assemble(
    name: &str,
    mut images: Vec<(PathBuf, Decoded)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    images.sort_by(|a, b| a.0.cmp(&b.0));
    let looks: Vec<(&Path, Look)> =
        images.iter().map(|(path, image)| (path.as_path(), image.look)).collect();
    let Some(&(_, Look { width, height, .. })) = looks.first() else {
        return Err(DataError::malformed(name, "files", "no PNG or JPEG image among them"));
    };
    let Arranged { gray, places, labeled, notes } = arrange(name, &looks, options)?;
    drop(looks);
    let channels = if gray { 1 } else { 3 };
    let mut parts =
        SPLITS.map(|split| (split, Vec::new(), Vec::<&OsStr>::new(), labeled[split as usize]));
    for ((_, image), (split, class)) in images.into_iter().zip(&places) {
        let (_, values, classes, labeled) = &mut parts[*split as usize];
        push(values, image, gray);
        if let (true, Some(class)) = (*labeled, class) {
            classes.push(class);
        }
    }
    let splits = parts
        .into_iter()
        .filter(|(_, values, ..)| !values.is_empty())
        .map(|(split, values, classes, labeled)| {
            let loaded = Loaded {
                path: name.into(),
                shape: Shape::image(channels, height, width),
                data: Data::Bytes(values),
                labels: if labeled { Some(class_labels(name, &classes)?) } else { None },
            };
            Ok((split, loaded))
        })
        .collect::<Result<_, DataError>>()?;
    // The levels of an image are those of its format, even if only two occur.
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let mut data = super::assemble(name, splits, &options)?;
    data.notes = notes;
    Ok(data)
}

/// Whether the images of a split lie in folders of classes.
///
/// # Errors
/// If a few do not, naming the first of them.
fn are_labeled(
    name: &str,
    images: &[(&Path, Look)],
    places: &[(SplitName, Option<OsString>)],
    split: SplitName,
    notes: &mut Vec<String>,
) -> Result<bool, DataError> {
    let of_split = || images.iter().zip(places).filter(|(_, place)| place.0 == split);
    let all = of_split().count();
    let mut outside = of_split().filter(|(_, place)| place.1.is_none());
    let Some(((path, _), _)) = outside.next() else { return Ok(all > 0) };
    let strays = outside.count() + 1;
    if strays == all {
        return Ok(false);
    }
    if strays * 2 < all {
        return Err(DataError::malformed(
            Path::new(name).join(path),
            "path",
            format!(
                "is in no class folder, as {} other images here are; move it into one or delete it, or \
                 leave the classes out with --no-labels",
                all - strays
            ),
        ));
    }
    notes.push(format!(
        "{strays} of {all} images, such as {}, are in no class folder, so that the images have no classes",
        path.display()
    ));
    Ok(false)
}

/// The labels of images by their folders, whose names need not be Unicode.
fn class_labels(name: &str, classes: &[&OsStr]) -> Result<Labels, DataError> {
    let mut known: BTreeMap<String, &OsStr> = BTreeMap::new();
    for class in classes {
        let shown = class.to_string_lossy().into_owned();
        let other = known.entry(shown).or_insert(class);
        if other != class {
            return Err(DataError::malformed(
                Path::new(name).join(class),
                "path",
                "two class folders differ in bytes that are not UTF-8 only; rename one",
            ));
        }
    }
    let names: Vec<&String> = known.keys().take(MOST_COMPARED).collect();
    for (at, name_of) in names.iter().enumerate() {
        if let Some(other) = names[..at].iter().find(|other| are_alike(other, name_of)) {
            return Err(DataError::malformed(
                Path::new(name).join(name_of),
                "path",
                format!(
                    "it looks like the class folder {other} and has other characters, as accents in NFC \
                     or NFD; rename one"
                ),
            ));
        }
    }
    let words: Vec<_> = classes.iter().map(|class| class.to_string_lossy()).collect();
    Ok(Labels::of_names(&words))
}
