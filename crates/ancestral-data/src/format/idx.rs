//! IDX, the format of MNIST: bytes `0 0 type axes`, big-endian sizes, row-major values.

use super::{Array, Data, Stream, product};
use crate::DataError;

pub(crate) fn read(stream: &mut Stream<'_>) -> Result<Array, DataError> {
    let magic = stream.bytes(4, "the IDX header")?;
    if super::foreign::is_web_page(&magic) || magic.starts_with(b"<!") || magic.starts_with(b"<htm")
    {
        return Err(DataError::malformed(
            &stream.path,
            "byte 0",
            "a web page, not an IDX file; download the file again",
        ));
    }
    let (kind, axes) = (magic[2], usize::from(magic[3]));
    let width: usize = match kind {
        0x08 | 0x09 => 1,
        0x0B => 2,
        0x0C | 0x0D => 4,
        0x0E => 8,
        _ => 0,
    };
    if magic[..2] != [0, 0] || width == 0 || !(1..=4).contains(&axes) {
        return Err(DataError::malformed(
            &stream.path,
            "byte 0",
            format!(
                "magic number {:02x} {:02x} {:02x} {:02x}; expected 00 00, a type of 08 09 0b 0c \
                 0d 0e, and 1 to 4 axes",
                magic[0], magic[1], kind, axes
            ),
        ));
    }
    let header = stream.bytes(4 * axes as u64, "sizes")?;
    let dims: Vec<usize> = header
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
        .collect();
    let bytes = product(&dims)
        .and_then(|n| n.checked_mul(width))
        .ok_or_else(|| stream.bad(format!("sizes {dims:?} are more than any file can hold")))?;
    let raw = stream.bytes(bytes as u64, &format!("values for sizes {dims:?}"))?;
    stream.end()?;
    let data = match kind {
        0x08 => Data::Bytes(raw),
        0x09 => Data::Ints(raw.into_iter().map(|b| i64::from(b as i8)).collect()),
        0x0B => Data::Ints(
            raw.chunks_exact(2).map(|b| i64::from(i16::from_be_bytes([b[0], b[1]]))).collect(),
        ),
        0x0C => Data::Ints(
            raw.chunks_exact(4)
                .map(|b| i64::from(i32::from_be_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
        ),
        _ => {
            let reals: Vec<f64> = if kind == 0x0D {
                raw.chunks_exact(4)
                    .map(|b| f64::from(f32::from_be_bytes([b[0], b[1], b[2], b[3]])))
                    .collect()
            } else {
                raw.chunks_exact(8)
                    .map(|b| f64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                    .collect()
            };
            super::npy::finite(&reals, &stream.path, 4 + 4 * axes, width)?;
            Data::Reals(reals)
        }
    };
    Ok(Array { dims, data })
}
