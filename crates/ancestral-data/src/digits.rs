//! The embedded default data set: 1797 handwritten digits, with their fixed split.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::{DataError, Dataset, Domain, Shape, Split, SplitName, Values};

const ROWS: &[u8] = include_bytes!("../assets/digits.csv.gz");
const SPLIT: &str = include_str!("../assets/split.txt");
const PIXELS: usize = 64;

/// UCI optical digits: 8×8 pixels, 17 gray levels, 1297 / 200 / 300 examples of ten classes.
///
/// E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
/// Repository, 1998, DOI 10.24432/C50P49, CC BY 4.0.
///
/// # Errors
/// Only if the build embedded damaged files.
pub fn digits() -> Result<Dataset, DataError> {
    let mut text = String::new();
    GzDecoder::new(ROWS)
        .read_to_string(&mut text)
        .map_err(|e| damaged("digits.csv.gz", format!("cannot be unpacked: {e}")))?;
    let mut parts = [SplitName::Train, SplitName::Valid, SplitName::Test]
        .map(|name| (name, Vec::new(), Vec::new()));
    let mut names = SPLIT.lines();
    for (i, line) in text.lines().enumerate() {
        let name: SplitName = names
            .next()
            .ok_or_else(|| damaged("split.txt", format!("ends before row {}", i + 1)))?
            .parse()?;
        let row = line
            .split(',')
            .map(|cell| cell.parse::<u8>().ok())
            .collect::<Option<Vec<u8>>>()
            .filter(|row| row.len() == PIXELS + 1)
            .ok_or_else(|| damaged("digits.csv.gz", format!("row {} is not 65 bytes", i + 1)))?;
        for (part, values, labels) in &mut parts {
            if *part == name {
                values.extend_from_slice(&row[..PIXELS]);
                labels.push(u32::from(row[PIXELS]));
            }
        }
    }
    let [train, valid, test] = parts
        .map(|(_, values, labels)| Split { values: Values::Bytes(values), labels: Some(labels) });
    let shape = Shape::image(1, 8, 8);
    let mut data =
        Dataset::new("digits", Domain::Levels(17), shape, train, Some(valid), Some(test))?;
    data.class_names = (0..10).map(|c| c.to_string()).collect();
    Ok(data)
}

fn damaged(file: &str, problem: String) -> DataError {
    DataError::Malformed { path: file.into(), place: "embedded file".into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_whole_and_stratified() {
        let data = digits().unwrap();
        assert_eq!(data.classes(), 10);
        for (name, n) in [(SplitName::Train, 1297), (SplitName::Valid, 200), (SplitName::Test, 300)]
        {
            assert_eq!(data.len(name), n);
            let labels = data.split(name).unwrap().labels.clone().unwrap();
            for class in 0..10 {
                let share = labels.iter().filter(|&&l| l == class).count() as f64 / n as f64;
                assert!((share - 0.1).abs() < 0.01, "{name}, class {class}: {share}");
            }
        }
        // The first row of the file is a nought and belongs to one of the parts as it is.
        let nought = [0u8, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0];
        let found = [SplitName::Train, SplitName::Valid, SplitName::Test].iter().any(|&name| {
            match &data.split(name).unwrap().values {
                Values::Bytes(v) => v.chunks(PIXELS).any(|row| row.starts_with(&nought)),
                Values::Reals(_) => false,
            }
        });
        assert!(found);
    }
}
