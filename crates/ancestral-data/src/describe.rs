//! What a data set holds, in numbers and at a glance.

use serde::Serialize;

use crate::{DataError, Dataset, Domain, Picture, Plot, Series, Split, SplitName, Values, heat};

/// The most examples of a scatter.
const PLANE: usize = 4000;

/// A data set in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How it was asked for.
    pub name: String,
    /// What values the entries take: "binary", "256 levels" or "real".
    pub domain: String,
    /// The shape of one example, `[channels, height, width]` or `[columns]`.
    pub shape: Vec<usize>,
    /// The number of classes, 0 if the data is not labelled.
    pub classes: usize,
    /// Names of the columns of a table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The splits that exist: train, valid, test.
    pub splits: Vec<SplitSummary>,
    /// SHA-256 of it all.
    pub fingerprint: String,
}

/// A split in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// "train", "valid" or "test".
    pub split: String,
    /// The number of examples.
    pub examples: usize,
    /// The smallest value.
    pub minimum: f64,
    /// The largest value.
    pub maximum: f64,
    /// The mean over all entries.
    pub mean: f64,
    /// The standard deviation over all entries.
    pub deviation: f64,
    /// How many examples each class has, by label number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balance: Vec<ClassCount>,
}

/// A class and its share of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The name, or the number if the classes have no names.
    pub class: String,
    /// The number of its examples.
    pub examples: usize,
}

/// Counts, shape, domain, range, mean and class balance.
pub fn describe(data: &Dataset) -> Summary {
    let splits = [SplitName::Train, SplitName::Valid, SplitName::Test]
        .into_iter()
        .filter_map(|name| Some((name, data.split(name).ok()?)))
        .map(|(name, split)| describe_split(data, name, split))
        .collect();
    Summary {
        name: data.name.clone(),
        domain: data.domain.to_string(),
        shape: data.shape.dims().to_vec(),
        classes: data.classes(),
        columns: data.column_names.clone(),
        splits,
        fingerprint: data.fingerprint(),
    }
}

fn describe_split(data: &Dataset, name: SplitName, split: &Split) -> SplitSummary {
    let moments = |values: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        // Welford's way: no cancellation where the mean is far from 0.
        let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for v in values {
            (low, high) = (low.min(v), high.max(v));
            n += 1.0;
            let off = v - mean;
            mean += off / n;
            squares += off * (v - mean);
        }
        if n == 0.0 { (0.0, 0.0, 0.0, 0.0) } else { (low, high, mean, (squares / n).sqrt()) }
    };
    let (minimum, maximum, mean, deviation) = match &split.values {
        Values::Bytes(v) => moments(&mut v.iter().map(|&x| f64::from(x))),
        Values::Reals(v) => moments(&mut v.iter().map(|&x| f64::from(x))),
    };
    let mut counts = vec![0; data.classes()];
    for &label in split.labels.iter().flatten() {
        counts[label as usize] += 1;
    }
    let balance = match &split.labels {
        None => Vec::new(),
        Some(_) => counts
            .into_iter()
            .enumerate()
            .map(|(i, examples)| ClassCount {
                class: data.class_names.get(i).cloned().unwrap_or_else(|| i.to_string()),
                examples,
            })
            .collect(),
    };
    SplitSummary {
        split: name.to_string(),
        examples: data.len(name),
        minimum,
        maximum,
        mean,
        deviation,
        balance,
    }
}

/// `n` examples spread evenly over a split: images as they are, tables as one row an example.
///
/// Columns of reals are drawn in colours, each from its own smallest to its own largest value; two
/// of them are a scatter, of up to 4000 examples whatever `n` is.
///
/// # Errors
/// If there is no such split.
pub fn contact_sheet(data: &Dataset, split: SplitName, n: usize) -> Result<Picture, DataError> {
    let examples = data.len(split);
    let size = data.shape.size();
    let plane = data.shape.dims() == [2] && data.domain == Domain::Real;
    let n = if plane { PLANE } else { n }.min(examples);
    // Spread, since a file may be sorted by class.
    let chosen: Vec<usize> = (0..n).map(|i| i * examples / n.max(1)).collect();
    let mut values: Vec<f32> = match data.split(split)?.gather(&chosen, size).values {
        Values::Bytes(v) => {
            let most = data.domain.max_level().unwrap_or(1).max(1) as f32;
            v.into_iter().map(|x| f32::from(x) / most).collect()
        }
        Values::Reals(v) => v,
    };
    if plane {
        let labels = data.split(split)?.labels.as_ref();
        let labels = labels.map(|labels| chosen.iter().map(|&i| labels[i]).collect());
        return scatter(data, split, &values, labels);
    }
    if data.domain.max_level().is_none() {
        let columns = if data.shape.as_image().is_some() { 1 } else { size };
        for column in 0..columns {
            spread(&mut values, column, columns);
        }
    }
    Ok(match data.shape.as_image() {
        Some(shape) => {
            let across = (n as f64).sqrt().ceil() as usize;
            Picture::grid(&values, shape, across, (64 / shape[1].max(1)).clamp(1, 6))
        }
        None => {
            let scale = (400 / size.max(n).max(1)).clamp(1, 16);
            if data.domain.is_discrete() {
                Picture::grid(&values, [1, n, size], 1, scale)
            } else {
                let values: Vec<f64> = values.into_iter().map(f64::from).collect();
                heat(&values, size).enlarged(scale)
            }
        }
    })
}

/// Pairs of reals as points, in colours of their own if there are few classes.
fn scatter(
    data: &Dataset,
    split: SplitName,
    values: &[f32],
    labels: Option<Vec<u32>>,
) -> Result<Picture, DataError> {
    let column = |i: usize, other: &str| {
        data.column_names.get(i).cloned().unwrap_or_else(|| other.to_owned())
    };
    let points = || values.chunks_exact(2).map(|p| (f64::from(p[0]), f64::from(p[1])));
    let mut plot = Plot::new(format!("{}, {split}", data.name), column(0, "x"), column(1, "y"));
    match labels.filter(|_| (2..=10).contains(&data.classes())) {
        None => plot = plot.with(Series::points("", points())),
        Some(labels) => {
            for class in 0..data.classes() {
                let mine = points().zip(&labels).filter(|(_, l)| **l as usize == class);
                let name = data.class_names.get(class).cloned();
                let name = name.unwrap_or_else(|| class.to_string());
                plot = plot.with(Series::points(name, mine.map(|(point, _)| point)).group(class));
            }
        }
    }
    plot.equal_aspect().size(640, 560).to_picture()
}

/// Brings a column (every `stride`-th value) to 0 to 1.
fn spread(values: &mut [f32], column: usize, stride: usize) {
    let part = || values.iter().skip(column).step_by(stride).copied();
    let low = part().fold(f32::INFINITY, f32::min);
    let high = part().fold(f32::NEG_INFINITY, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    for v in values.iter_mut().skip(column).step_by(stride) {
        *v = (*v - low) / span;
    }
}

#[cfg(test)]
mod tests {
    use ancestral_test_support::assert_hash;

    use super::*;
    use crate::{Shape, digits};

    #[test]
    fn digits_in_numbers() {
        let summary = describe(&digits().unwrap());
        assert_eq!(summary.domain, "17 levels");
        assert_eq!((summary.shape, summary.classes), (vec![1, 8, 8], 10));
        let [train, _, test] = &summary.splits[..] else { panic!("three splits") };
        assert_eq!((train.examples, test.examples), (1297, 300));
        assert_eq!((train.minimum, train.maximum), (0.0, 16.0));
        // The mean over all 1797 images is 4.884.
        assert!((train.mean - 4.88).abs() < 0.05, "{}", train.mean);
        assert_eq!(test.balance.iter().map(|c| c.examples).sum::<usize>(), 300);
        assert_eq!(test.balance[9].class, "9");
    }

    #[test]
    fn sheets_of_every_kind() {
        let dir = tempfile::tempdir().unwrap();
        let hash = |sheet: &Picture, hash| {
            let path = dir.path().join("sheet.png");
            sheet.save_png(&path).unwrap();
            assert_hash(&path, hash);
        };
        let sheet = contact_sheet(&digits().unwrap(), SplitName::Test, 30).unwrap();
        // Six columns and five rows of 8×8 at six times the size, with their separators.
        assert_eq!((sheet.width(), sheet.height()), ((6 * 9 + 1) * 6, (5 * 9 + 1) * 6));
        hash(&sheet, "69ccbf8d248c2da6");
        let table = |values: Values, domain, columns| {
            let split = Split { values, labels: None };
            Dataset::new("t", domain, Shape::columns(columns), split, None, None).unwrap()
        };
        let reals = Values::Reals(vec![1.0, 5.0, 0.0, -1.0, 5.0, 5.0]);
        let data = table(reals.clone(), Domain::Real, 3);
        let sheet = contact_sheet(&data, SplitName::Train, 9).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (48, 32));
        hash(&sheet, "cd080e28359060d5");
        assert!(contact_sheet(&data, SplitName::Test, 9).is_err());
        assert_eq!(describe(&data).splits[0].mean as f32, 2.5);
        // Pairs are points in the plane.
        let moons = crate::open("moons", &Default::default()).unwrap();
        for (data, expected) in
            [(table(reals, Domain::Real, 2), "673daac779e7d992"), (moons, "622a926e5dc21ebc")]
        {
            let sheet = contact_sheet(&data, SplitName::Train, 1).unwrap();
            assert_eq!((sheet.width(), sheet.height()), (640, 560));
            hash(&sheet, expected);
        }
        let data = table(Values::Bytes(vec![0, 1, 1, 1]), Domain::Binary, 2);
        hash(&contact_sheet(&data, SplitName::Train, 2).unwrap(), "40b07b34637c6a45");
        assert!(contact_sheet(&data, SplitName::Train, 0).unwrap().width() > 0);
        assert!(describe(&data).splits[0].balance.is_empty());
    }
}
