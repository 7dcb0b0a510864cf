//! Rows of numbers separated by blanks or commas: `.amat`, and `.data` of the density estimation
//! sets.

use std::io::{BufRead, BufReader};

use super::npy::MOST_REAL;
use super::{Data, LineLimit, Loaded, LongLine, Stream, reserve};
use crate::{DataError, Shape};

/// Reads to the end, row by row; values that are all 0 and 1 stay bytes.
pub(crate) fn read(stream: &mut Stream<'_>) -> Result<Loaded, DataError> {
    let path = stream.path.clone();
    let bad = |line: usize, column: usize, problem: String| {
        DataError::malformed(&path, format!("line {line}, column {column}"), problem)
    };
    let mut bits: Vec<u8> = Vec::new();
    let mut reals: Option<Vec<f64>> = None;
    let mut columns = None;
    let mut reader = BufReader::new(LineLimit::new(&mut *stream, false));
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let read = read.map_err(|e| match LongLine::caused(&e) {
            true => bad(number + 1, 1, LongLine::PROBLEM.to_owned()),
            false => reader.get_ref().inner.failed(e),
        })?;
        if read == 0 {
            break;
        }
        number += 1;
        let room = columns.unwrap_or(line.len());
        match &mut reals {
            None => reserve(&mut bits, room, &path)?,
            Some(reals) => reserve(reals, room, &path)?,
        }
        let mut count = 0;
        for token in tokens(&line) {
            count += 1;
            match (token, &mut reals) {
                (b"0" | b"1", None) => bits.push(token[0] - b'0'),
                (b"0" | b"1", Some(reals)) => reals.push(f64::from(token[0] - b'0')),
                _ => {
                    let value = std::str::from_utf8(token)
                        .ok()
                        .and_then(|t| t.parse::<f64>().ok())
                        .filter(|v| v.is_finite() && v.abs() <= MOST_REAL)
                        .ok_or_else(|| {
                            let shown = String::from_utf8_lossy(&token[..token.len().min(20)]);
                            bad(number, count, format!("'{shown}'; expected a finite number"))
                        })?;
                    reals
                        .get_or_insert_with(|| bits.iter().map(|&b| f64::from(b)).collect())
                        .push(value);
                }
            }
        }
        // An empty line is not an example.
        if count == 0 {
            continue;
        }
        let expected = *columns.get_or_insert(count);
        if count != expected {
            return Err(bad(
                number,
                count.min(expected) + 1,
                format!("{count} values in this row; expected {expected} as in the first"),
            ));
        }
    }
    let columns = columns.ok_or_else(|| bad(1, 1, "no rows; expected at least one".into()))?;
    let data = reals.map_or(Data::Bits(bits), Data::Reals);
    Ok(Loaded { path, shape: Shape::columns(columns), data, labels: None })
}

/// The rows of `.amat` files are square images if their length is a square.
pub(crate) fn squared(mut loaded: Loaded) -> Loaded {
    let side = loaded.shape.size().isqrt();
    if side > 1 && side * side == loaded.shape.size() {
        loaded.shape = Shape::image(1, side, side);
    }
    loaded
}

fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| b.is_ascii_whitespace() || *b == b',').filter(|t| !t.is_empty())
}
