//! PNG and JPEG images: folders and tars of them, with one folder per class, or as
//! `split/class/file`.

use std::borrow::Cow;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::ZlibDecoder;
use image::{DynamicImage, ImageFormat, ImageReader, imageops};
use rayon::prelude::*;

use super::{Data, Loaded, Stream, cifar, table};
use crate::special::{check_plain, read_plain};
use crate::{Background, DataError, Dataset, OpenOptions, Shape, SplitName};

/// The largest compression ratio of either format, roughly.
const MAX_PACKING: u64 = 1100;
const MAX_SIDE: u32 = 8192;
const MAX_DEPTH: usize = 8;

/// A image, its values pixel by pixel.
pub(crate) struct Decoded {
    width: usize,
    height: usize,
    /// Three bytes per pixel, or one if the image is grayscale.
    bytes: Vec<u8>,
    gray: bool,
}

fn format_of(path: &Path) -> Option<ImageFormat> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "png" => Some(ImageFormat::Png),
        "jpg" | "jpeg" => Some(ImageFormat::Jpeg),
        _ => None,
    }
}

pub(crate) fn is_image(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
    !hidden && format_of(path).is_some()
}

pub(crate) fn decode(
    bytes: &[u8],
    path: &Path,
    options: &OpenOptions,
) -> Result<Decoded, DataError> {
    let bad = |problem: String| DataError::malformed(path, "image", problem);
    let guess = image::guess_format(bytes).ok();
    let format = guess
        .filter(|f| matches!(f, ImageFormat::Png | ImageFormat::Jpeg))
        .ok_or_else(|| bad("neither PNG nor JPEG by its first bytes".into()))?;
    if has_large_profile(bytes, format) {
        return Err(bad(format!(
            "its color profile (ICC) has more than {} MiB, the most that is read",
            MOST_IN_PROFILE >> 20
        )));
    }
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) =
        reader().into_dimensions().map_err(|e| bad(format!("its header cannot be read: {e}")))?;
    let allowed = bytes.len() as u64 * MAX_PACKING + (1 << 16);
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
    reader.limits(limits);
    let mut image = reader.decode().map_err(|e| bad(format!("cannot be decoded: {e}")))?;
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
    Ok(Decoded { width, height, bytes, gray })
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
        _ => {
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
    let mut files = Vec::new();
    walk(folder, &mut Vec::new(), &mut files)?;
    let decoded: Vec<Result<_, DataError>> = files
        .into_par_iter()
        .map(|file| {
            let bytes = read_plain(&file)?;
            let decoded = decode(&bytes, &file, options)?;
            Ok((file.strip_prefix(folder).unwrap_or(&file).to_owned(), decoded))
        })
        .collect();
    let images = decoded.into_iter().collect::<Result<_, _>>()?;
    assemble(name, images, options)
}

/// Finds the images under a folder; `above` are the folders that lead to it, without links.
fn walk(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let failed = |e| DataError::io("list", folder, e);
    let real = folder.canonicalize().map_err(failed)?;
    // A link back to a folder above: its images are found there.
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            // Deep enough for any layout.
            if above.len() <= MAX_DEPTH {
                walk(&path, above, files)?;
            }
        } else if is_image(&path) {
            check_plain(&path)?;
            files.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// Reads tars of images, each for a given split or with the splits in its paths; or CIFAR-10's tar.
pub(crate) fn read_tars(
    name: &str,
    tars: Vec<(Option<SplitName>, Stream<'_>)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let mut packed = Vec::new();
    let mut batches = Vec::new();
    for (split, mut stream) in tars {
        let path = stream.path.clone();
        let mut archive = tar::Archive::new(&mut stream);
        let broken = |e: std::io::Error| {
            DataError::malformed(&path, "archive", format!("cannot be unpacked: {e}"))
        };
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let inside = entry.path().map_err(broken)?.into_owned();
            let batch = inside.file_name().and_then(|n| n.to_str()).is_some_and(is_batch);
            if !batch && !is_image(&inside) {
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
        data.class_names = cifar::CLASSES.map(String::from).to_vec();
        return Ok(data);
    }
    // Results are gathered in order, so that the first of several errors is reported.
    let decoded: Vec<Result<_, DataError>> = packed
        .into_par_iter()
        .map(|(inside, place, bytes)| Ok((inside, decode(&bytes, &place, options)?)))
        .collect();
    let images = decoded.into_iter().collect::<Result<_, _>>()?;
    assemble(name, images, options)
}

/// Whether a file has the name of a CIFAR-10 batch.
pub(crate) fn is_batch(name: &str) -> bool {
    name == "test_batch.bin" || (name.starts_with("data_batch_") && name.ends_with(".bin"))
}

fn find_split(path: &Path) -> Option<(usize, SplitName)> {
    let parts = folders(path);
    parts.iter().enumerate().find_map(|(i, part)| {
        let split = match part.to_ascii_lowercase().as_str() {
            "train" | "training" => SplitName::Train,
            "valid" | "val" | "validation" => SplitName::Valid,
            "test" | "testing" => SplitName::Test,
            _ => return None,
        };
        Some((i, split))
    })
}

/// The folders above a file, with replacement characters where a name is not UTF-8.
fn folders(path: &Path) -> Vec<Cow<'_, str>> {
    let parent = path.parent().unwrap_or(Path::new(""));
    parent
        .components()
        .filter_map(|c| match c {
            Component::Normal(part) => Some(part.to_string_lossy()),
            _ => None,
        })
        .collect()
}

/// A data set of decoded images, in the order of their paths.
pub(crate) fn assemble(
    name: &str,
    mut images: Vec<(PathBuf, Decoded)>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    images.sort_by(|a, b| a.0.cmp(&b.0));
    let Some((_, first)) = images.first() else {
        return Err(DataError::malformed(name, "files", "no PNG or JPEG image among them"));
    };
    let (width, height) = (first.width, first.height);
    let gray = images.iter().all(|p| p.1.gray);
    let channels = if gray { 1 } else { 3 };

    let has_splits = images.iter().any(|p| find_split(&p.0).is_some());
    // Without splits, folders that all paths share are not classes.
    let shared = images
        .iter()
        .map(|p| folders(&p.0))
        .reduce(|a, b| a.into_iter().zip(b).take_while(|(x, y)| x == y).map(|p| p.0).collect())
        .map_or(0, |common| common.len());
    let mut parts = [SplitName::Train, SplitName::Valid, SplitName::Test]
        .map(|split| (split, Vec::new(), Vec::new()));
    let mut class_of = Vec::with_capacity(images.len());
    for (path, _) in &images {
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
        class_of.push((split, above[skip.min(above.len())..].join("/")));
    }
    let labeled = class_of.iter().all(|c| !c.1.is_empty());
    let words: Vec<&str> = class_of.iter().map(|c| c.1.as_str()).collect();
    let (labels, classes) = table::number(&words);

    for (((path, image), (split, _)), &label) in images.iter().zip(&class_of).zip(&labels) {
        if (image.width, image.height) != (width, height) {
            return Err(DataError::ImageSize {
                path: Path::new(name).join(path),
                size: [image.width, image.height],
                expected: [width, height],
            });
        }
        let (_, values, part_labels) = &mut parts[*split as usize];
        match (gray, image.gray) {
            (true, _) => values.extend_from_slice(&image.bytes),
            (false, true) => (0..3).for_each(|_| values.extend_from_slice(&image.bytes)),
            (false, false) => {
                values.extend(super::channels_first(&image.bytes, image.bytes.len()));
            }
        }
        part_labels.push(label);
    }
    let splits = parts
        .into_iter()
        .filter(|(_, values, _)| !values.is_empty())
        .map(|(split, values, labels)| {
            let loaded = Loaded {
                path: name.into(),
                shape: Shape::image(channels, height, width),
                data: Data::Bytes(values),
                labels: labeled.then_some(labels),
            };
            (split, loaded)
        })
        .collect();
    // The levels of an image are those of its format, even if only two occur.
    let options = OpenOptions { levels: options.or_bytes(), ..options.clone() };
    let mut data = super::assemble(name, splits, &options)?;
    if labeled {
        data.class_names = classes;
    }
    Ok(data)
}
