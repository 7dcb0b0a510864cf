//! NumPy arrays: `.npy`, and `.npz` with one array per member.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::stream::ends_here;
use super::{Array, Data, Loaded, Stream, assemble, product, refuse_no_content};
use crate::{DataError, Dataset, OpenOptions, SplitName};

/// A limit on the length of headers, far above real ones.
const MAX_HEADER: u64 = 1 << 16;

/// What the header of an array says.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) dims: Vec<usize>,
    /// Whether the first axis varies fastest.
    pub(crate) fortran: bool,
    kind: String,
    width: usize,
    big: bool,
    /// Bytes of all values.
    bytes: usize,
}

impl Header {
    /// The values of a row, and the number of rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        let rows = self.dims.first().copied().unwrap_or(0);
        (self.dims.iter().skip(1).product(), rows)
    }

    /// The next rows of an array that is not in Fortran order, after `before` ones.
    pub(crate) fn rows(
        &self,
        stream: &mut Stream<'_>,
        before: usize,
        rows: usize,
    ) -> Result<Array, DataError> {
        let row = self.size().0 * self.width;
        let at = stream.at as usize;
        let mut raw = Vec::new();
        let result = (&mut *stream).take((rows * row) as u64).read_to_end(&mut raw);
        result.map_err(|e| stream.failed(e))?;
        if raw.len() < rows * row {
            let (expected, found) = (self.bytes, before * row + raw.len());
            let what = format!("values for shape {:?}", self.dims);
            return Err(stream.bad(ends_here(expected as u64, &what, found)));
        }
        let data = convert(raw, &self.kind, self.width, self.big, stream, at)?;
        let mut dims = self.dims.clone();
        dims[0] = rows;
        Ok(Array { dims, data })
    }
}

pub(crate) fn read(stream: &mut Stream<'_>) -> Result<Array, DataError> {
    let Header { dims, fortran, kind, width, big, bytes } = header(stream)?;
    let before = stream.at as usize;
    let raw = stream.bytes(bytes as u64, &format!("values for shape {dims:?}"))?;
    stream.end()?;
    // In Fortran order, the first axis varies fastest.
    let raw = if fortran { row_major(&raw, &dims, width) } else { raw };
    let data = convert(raw, &kind, width, big, stream, before)?;
    Ok(Array { dims, data })
}

pub(crate) fn header(stream: &mut Stream<'_>) -> Result<Header, DataError> {
    let start = stream.bytes(8, "the npy header")?;
    if start[..6] != *b"\x93NUMPY" || !(1..=3).contains(&start[6]) {
        return Err(DataError::malformed(
            &stream.path,
            "byte 0",
            "not a NumPy array; expected \\x93NUMPY and version 1 to 3",
        ));
    }
    let length = if start[6] == 1 {
        let b = stream.bytes(2, "the header's length")?;
        u64::from(u16::from_le_bytes([b[0], b[1]]))
    } else {
        let b = stream.bytes(4, "the header's length")?;
        u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    };
    if length > MAX_HEADER {
        return Err(
            stream.bad(format!("a header of {length} bytes; expected {MAX_HEADER} at most"))
        );
    }
    let header = stream.bytes(length, "the header")?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let malformed = |what: &str| {
        DataError::malformed(
            &stream.path,
            "header",
            format!("no readable {what} in {:.120}", header.trim()),
        )
    };
    let descr = value(&header, "descr")
        .and_then(|v| v.trim_start().strip_prefix(['\'', '"']))
        .and_then(|v| v.split(['\'', '"']).next())
        .ok_or_else(|| malformed("'descr'"))?;
    let fortran = value(&header, "fortran_order")
        .map(|v| v.trim_start().starts_with("True"))
        .ok_or_else(|| malformed("'fortran_order'"))?;
    let dims = value(&header, "shape")
        .and_then(|v| v.trim_start().strip_prefix('('))
        .and_then(|v| v.split_once(')'))
        .and_then(|(list, _)| {
            list.split(',')
                .map(str::trim)
                .filter(|d| !d.is_empty())
                .map(|d| d.parse::<usize>().ok())
                .collect::<Option<Vec<usize>>>()
        })
        .ok_or_else(|| malformed("'shape'"))?;
    if dims.is_empty() || dims.len() > 4 {
        return Err(malformed("shape of 1 to 4 axes"));
    }
    let fortran = fortran && dims.iter().filter(|&&d| d > 1).count() > 1;
    let (order, kind) = descr.split_at_checked(1).unwrap_or(("", ""));
    let width: usize = match kind {
        "b1" | "u1" | "i1" => 1,
        "i2" | "u2" | "f2" => 2,
        "i4" | "u4" | "f4" => 4,
        "i8" | "u8" | "f8" => 8,
        _ => 0,
    };
    if width == 0 || !matches!(order, "<" | ">" | "|" | "=") {
        return Err(DataError::malformed(
            &stream.path,
            "header",
            format!(
                "values of type '{descr:.20}'; expected bool, int8 to int64, uint8 to uint64, or float16 to \
                 float64"
            ),
        ));
    }
    let bytes = product(&dims)
        .and_then(|n| n.checked_mul(width))
        .ok_or_else(|| stream.bad(format!("a shape of {dims:?} is more than any file can hold")))?;
    Ok(Header { dims, fortran, kind: kind.to_owned(), width, big: order == ">", bytes })
}

/// Items of `width` bytes in row-major order, from those in column-major order.
fn row_major(raw: &[u8], dims: &[usize], width: usize) -> Vec<u8> {
    let count: usize = dims.iter().product();
    let mut steps = vec![width; dims.len()];
    for axis in 1..dims.len() {
        steps[axis] = steps[axis - 1] * dims[axis - 1];
    }
    let mut place = vec![0; dims.len()];
    let mut sorted = Vec::with_capacity(raw.len());
    for _ in 0..count {
        let at: usize = place.iter().zip(&steps).map(|(i, step)| i * step).sum();
        sorted.extend_from_slice(&raw[at..at + width]);
        for axis in (0..dims.len()).rev() {
            place[axis] += 1;
            if place[axis] < dims[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
    sorted
}

/// The text after a key of the header, which is the literal of a Python dictionary.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|q| header.split_once(q.as_str()))?.1;
    after.trim_start().strip_prefix(':')
}

fn convert(
    raw: Vec<u8>,
    kind: &str,
    width: usize,
    big: bool,
    stream: &Stream<'_>,
    before: usize,
) -> Result<Data, DataError> {
    match kind {
        "u1" => return Ok(Data::Bytes(raw)),
        "b1" => {
            return match raw.iter().position(|&b| b > 1) {
                None => Ok(Data::Bits(raw)),
                Some(i) => Err(DataError::malformed(
                    &stream.path,
                    format!("byte {}", before + i),
                    format!("a truth value of {}; expected 0 or 1", raw[i]),
                )),
            };
        }
        _ => {}
    }
    // Eight bytes in little-endian order, whatever the width.
    let word = |chunk: &[u8]| {
        let mut word = [0u8; 8];
        for (i, &b) in chunk.iter().enumerate() {
            word[if big { width - 1 - i } else { i }] = b;
        }
        u64::from_le_bytes(word)
    };
    let words = raw.chunks_exact(width).map(word);
    if kind.starts_with('f') {
        let reals: Vec<f64> = words
            .map(|w| match width {
                2 => half(w as u16),
                4 => f64::from(f32::from_bits(w as u32)),
                _ => f64::from_bits(w),
            })
            .collect();
        finite(&reals, &stream.path, before, width)?;
        return Ok(Data::Reals(reals));
    }
    let shift = 64 - 8 * width as u32;
    let ints: Result<Vec<i64>, usize> = words
        .enumerate()
        .map(|(i, w)| {
            let value = match kind.starts_with('i') {
                // Shifting up and down again extends the sign.
                true => ((w << shift) as i64) >> shift,
                false => i64::try_from(w).map_err(|_| i)?,
            };
            Some(value).filter(|v| v.unsigned_abs() <= MOST_WHOLE).ok_or(i)
        })
        .collect();
    ints.map(Data::Ints).map_err(|i| {
        DataError::malformed(
            &stream.path,
            format!("byte {}", before + i * width),
            "a whole number beyond 2^53, which double precision cannot hold; subtract a constant",
        )
    })
}

/// A number of half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// The largest whole number up to which double precision holds all of them.
const MOST_WHOLE: u64 = 1 << 53;
/// The largest real, that of single precision, in which networks compute.
pub(crate) const MOST_REAL: f64 = f32::MAX as f64;

/// A number that is too large, and what to do.
pub(crate) fn beyond(number: &str) -> String {
    format!(
        "{number} is beyond the largest number of single precision, 3.4e38; divide its column by a \
         constant"
    )
}

/// Refuses NaN, infinities and numbers beyond single precision, with the position.
pub(crate) fn finite(
    reals: &[f64],
    path: &Path,
    before: usize,
    width: usize,
) -> Result<(), DataError> {
    match reals.iter().position(|v| !v.is_finite() || v.abs() > MOST_REAL) {
        None => Ok(()),
        Some(i) => Err(DataError::malformed(
            path,
            format!("byte {}", before + i * width),
            match reals[i].is_finite() {
                true => beyond(&format!("{:e}", reals[i])),
                false => format!("{}; expected a finite number", reals[i]),
            },
        )),
    }
}

/// An archive as it was read.
pub(crate) struct Archive {
    splits: Vec<(SplitName, Loaded)>,
    notes: Vec<String>,
}

impl Archive {
    pub(crate) fn into_dataset(
        self,
        name: &str,
        options: &OpenOptions,
    ) -> Result<Dataset, DataError> {
        let mut data = assemble(name, self.splits, options)?;
        data.notes = self.notes;
        Ok(data)
    }
}

/// How many members the end of an archive lists, if it says so; the reader is then at its beginning.
fn members_listed(
    reader: &mut (impl Read + Seek),
    path: &Path,
) -> Result<Option<usize>, DataError> {
    let failed = |e| DataError::io("read", path, e);
    let mut start = Vec::new();
    reader.take(64).read_to_end(&mut start).map_err(failed)?;
    refuse_no_content(&start, path)?;
    let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
    // The record at the end has 22 bytes and a comment.
    let from = length.saturating_sub(22 + (1 << 16));
    reader.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut end = Vec::new();
    reader.take(length - from).read_to_end(&mut end).map_err(failed)?;
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    let record = end.windows(12).rev().find(|bytes| bytes.starts_with(b"PK\x05\x06"));
    let count = record.map(|bytes| usize::from(u16::from_le_bytes([bytes[10], bytes[11]])));
    // More are listed elsewhere.
    Ok(count.filter(|&count| count < usize::from(u16::MAX)))
}

/// The splits of an archive, by common names of members.
pub(crate) fn read_npz(
    mut reader: impl Read + Seek,
    path: &Path,
    options: &OpenOptions,
) -> Result<Archive, DataError> {
    let listed = members_listed(&mut reader, path)?;
    let broken = |e: zip::result::ZipError| {
        let e = e.to_string();
        let problem = match e.contains("EOCD") {
            true => "not a zip archive, or one without its end".to_owned(),
            false => format!("not a readable zip archive: {e}"),
        };
        DataError::malformed(path, "archive", problem)
    };
    let mut archive = zip::ZipArchive::new(reader).map_err(broken)?;
    let members: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    if listed.is_some_and(|listed| listed > archive.len()) {
        return Err(DataError::malformed(
            path,
            "archive",
            "two members have the same name; expected a name for each array",
        ));
    }
    let mut taken: Vec<String> = Vec::new();
    let mut get = |names: &[String]| -> Result<Option<(String, Array)>, DataError> {
        for name in names {
            let Some(member) = members
                .iter()
                .find(|m| m.strip_suffix(".npy").unwrap_or(m).eq_ignore_ascii_case(name))
            else {
                continue;
            };
            let place = path.join(member);
            let file = archive.by_name(member).map_err(|e| {
                DataError::malformed(&place, "member", format!("cannot be unpacked: {e}"))
            })?;
            let mut stream = Stream::member(BufReader::new(file), &place);
            taken.push(member.clone());
            return Ok(Some((member.clone(), read(&mut stream)?)));
        }
        Ok(None)
    };
    let (mut splits, mut notes) = (Vec::new(), Vec::new());
    for (which, words) in [
        (SplitName::Train, &["train"][..]),
        (SplitName::Valid, &["valid", "val", "validation"]),
        (SplitName::Test, &["test"]),
    ] {
        let mut values: Vec<String> = Vec::new();
        let mut labels: Vec<String> = Vec::new();
        for word in words {
            values.extend(
                ["x_?", "?_x", "?_images", "?_data", "?"].map(|pattern| pattern.replace('?', word)),
            );
            labels.extend(["y_?", "?_y", "?_labels"].map(|pattern| pattern.replace('?', word)));
        }
        // Without splits, one array holds everything.
        if which == SplitName::Train {
            values.extend(["x", "data", "images", "arr_0"].map(String::from));
            labels.extend(["y", "labels", "label", "target"].map(String::from));
        }
        let Some((member, array)) = get(&values)? else { continue };
        notes.extend(array.ambiguity());
        let mut loaded = array.into_loaded(&path.join(&member))?;
        if !options.no_labels
            && let Some((member, array)) = get(&labels)?
        {
            loaded = loaded.with_labels(array.into_labels(&path.join(member))?)?;
        }
        splits.push((which, loaded));
    }
    if splits.first().is_none_or(|s| s.0 != SplitName::Train) {
        return Err(DataError::malformed(
            path,
            "archive",
            format!(
                "members {:.200}; expected 'train', 'x_train', 'x' or 'data' among them",
                members.join(", ")
            ),
        ));
    }
    let passed: Vec<&str> =
        members.iter().filter(|m| !taken.contains(m)).map(String::as_str).collect();
    if !passed.is_empty() {
        notes.push(format!(
            "of the archive, {:.200} passed over; x, x_train, y, y_train and the like are read{}",
            format!("{} {}", passed.join(", "), if passed.len() == 1 { "was" } else { "were" }),
            if options.no_labels { " (labels are left out by --no-labels)" } else { "" }
        ));
    }
    Ok(Archive { splits, notes })
}
