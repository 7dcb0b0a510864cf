//! Writing NumPy and CSV files.

use std::path::Path;

use crate::{DataError, write_atomic};

/// Whether the value is exact in single precision.
fn is_single(value: f64) -> bool {
    f64::from(value as f32) == value
}

/// Writes rows of numbers as a NumPy array `[rows, …shape]` of 32-bit floats, or of 64-bit floats
/// if a number needs them.
///
/// # Errors
/// If the file cannot be written.
pub fn write_npy(path: &Path, values: &[f64], shape: &[usize]) -> Result<(), DataError> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let single = values.iter().all(|&value| is_single(value));
    let kind = if single { "<f4" } else { "<f8" };
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    // Magic, version and length take 10 bytes; all of it ends on a multiple of 64.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    if single {
        bytes.extend(values.iter().flat_map(|&v| (v as f32).to_le_bytes()));
    } else {
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    write_atomic(path, &bytes)
}

/// Writes rows of numbers as CSV with a header, each with the fewest digits that identify it.
///
/// # Errors
/// If the file cannot be written.
pub fn write_csv(path: &Path, names: &[String], values: &[f64]) -> Result<(), DataError> {
    let digits = |&value: &f64| {
        // The fewest digits of a whole number in single precision are those of another one.
        let single = is_single(value) && value.fract() != 0.0;
        if single { (value as f32).to_string() } else { value.to_string() }
    };
    let mut text = names.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",");
    for row in values.chunks_exact(names.len().max(1)) {
        text.push('\n');
        let cells: Vec<String> = row.iter().map(digits).collect();
        text.push_str(&cells.join(","));
    }
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

/// A cell of a CSV file, quoted if necessary.
pub fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_stay_one_cell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let names = ["a,b".to_owned(), "say \"x\"".to_owned()];
        write_csv(&path, &names, &[1.0, 0.1, 100_002_624.0, f64::from(0.1f32)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "\"a,b\",\"say \"\"x\"\"\"\n1,0.1\n100002624,0.1\n");
    }
}
