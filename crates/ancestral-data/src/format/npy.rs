//! NumPy arrays: `.npy`, and `.npz` with one array per member.

use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::{Array, Data, Loaded, Stream, product};
use crate::{DataError, SplitName};

/// A limit on the length of headers, far above real ones.
const MAX_HEADER: u64 = 1 << 16;

pub(crate) fn read(stream: &mut Stream<'_>) -> Result<Array, DataError> {
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
    if fortran && dims.iter().filter(|&&d| d > 1).count() > 1 {
        return Err(DataError::malformed(
            &stream.path,
            "header",
            "the array is in Fortran order; save numpy.ascontiguousarray(array) instead",
        ));
    }
    let (order, kind) = descr.split_at_checked(1).unwrap_or(("", ""));
    let width: usize = match kind {
        "b1" | "u1" | "i1" => 1,
        "i2" | "u2" => 2,
        "i4" | "u4" | "f4" => 4,
        "i8" | "u8" | "f8" => 8,
        _ => 0,
    };
    if width == 0 || !matches!(order, "<" | ">" | "|" | "=") {
        return Err(DataError::malformed(
            &stream.path,
            "header",
            format!(
                "values of type '{descr:.20}'; expected bool, int8 to int64, uint8 to uint64, float32 or float64"
            ),
        ));
    }
    let bytes = product(&dims)
        .and_then(|n| n.checked_mul(width))
        .ok_or_else(|| stream.bad(format!("a shape of {dims:?} is more than any file can hold")))?;
    let before = stream.at as usize;
    let raw = stream.bytes(bytes as u64, &format!("values for shape {dims:?}"))?;
    stream.end()?;
    let data = convert(raw, kind, width, order == ">", stream, before)?;
    Ok(Array { dims, data })
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
        let reals: Vec<f32> = words
            .map(|w| if width == 4 { f32::from_bits(w as u32) } else { f64::from_bits(w) as f32 })
            .collect();
        finite(&reals, &stream.path, before, width)?;
        return Ok(Data::Reals(reals));
    }
    let shift = 64 - 8 * width as u32;
    let ints: Result<Vec<i32>, usize> = words
        .enumerate()
        .map(|(i, w)| {
            if kind.starts_with('i') {
                // Shifting up and down again extends the sign.
                i32::try_from(((w << shift) as i64) >> shift).map_err(|_| i)
            } else {
                i32::try_from(w).map_err(|_| i)
            }
        })
        .collect();
    ints.map(Data::Ints).map_err(|i| {
        DataError::malformed(
            &stream.path,
            format!("byte {}", before + i * width),
            "a whole number beyond 32 bits; expected a smaller one",
        )
    })
}

/// Refuses NaN and infinities, with the position.
pub(crate) fn finite(
    reals: &[f32],
    path: &Path,
    before: usize,
    width: usize,
) -> Result<(), DataError> {
    match reals.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(DataError::malformed(
            path,
            format!("byte {}", before + i * width),
            format!("{}; expected a finite number", reals[i]),
        )),
    }
}

/// The splits of an archive, by common names of members.
pub(crate) fn read_npz(
    reader: impl Read + Seek,
    path: &Path,
) -> Result<Vec<(SplitName, Loaded)>, DataError> {
    let broken = |e: zip::result::ZipError| {
        DataError::malformed(path, "archive", format!("not a readable zip archive: {e}"))
    };
    let mut archive = zip::ZipArchive::new(reader).map_err(broken)?;
    let members: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
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
            let mut stream = Stream::new(BufReader::new(file), &place)?;
            return Ok(Some((member.clone(), read(&mut stream)?)));
        }
        Ok(None)
    };
    let mut splits = Vec::new();
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
        let mut loaded = array.into_loaded(&path.join(&member))?;
        if let Some((member, array)) = get(&labels)? {
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
    Ok(splits)
}
