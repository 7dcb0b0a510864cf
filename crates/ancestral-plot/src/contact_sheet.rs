//! Contact sheets of data sets.

use ancestral_data::{Dataset, Domain, SplitName, Values};

use crate::{Image, Plot, PlotError, Series, heat};

/// The largest number of examples of a scatter plot.
const PLANE: usize = 4000;

/// An image of `n` examples spaced evenly over a split: images in a grid, tables as one row of
/// pixels per example.
///
/// Real-valued columns are colored, each scaled by its own minimum and maximum; two real columns
/// are a scatter plot of up to 4000 examples, for any `n`.
///
/// # Errors
/// If there is no such split.
pub fn contact_sheet(data: &Dataset, split: SplitName, n: usize) -> Result<Image, PlotError> {
    let examples = data.len(split);
    let size = data.shape.size();
    let plane = data.shape.dims() == [2] && data.domain == Domain::Real;
    let n = if plane { PLANE } else { n }.min(examples);
    // Evenly spaced, since a file may be sorted by class.
    let chosen: Vec<usize> = (0..n).map(|i| i * examples / n.max(1)).collect();
    let mut values: Vec<f32> = match data.split(split)?.gather(&chosen, size).values {
        Values::Bytes(v) => {
            let most = data.domain.max_level().unwrap_or(1).max(1) as f32;
            v.into_iter().map(|x| f32::from(x) / most).collect()
        }
        Values::Reals(v) => v.into_iter().map(|x| x as f32).collect(),
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
            Image::grid(&values, shape, across, (64 / shape[1].max(1)).clamp(1, 6))
        }
        None => {
            let scale = (400 / size.max(n).max(1)).clamp(1, 16);
            if data.domain.is_discrete() {
                Image::grid(&values, [1, n, size], 1, scale)
            } else {
                let values: Vec<f64> = values.into_iter().map(f64::from).collect();
                heat(&values, size).enlarged(scale)
            }
        }
    })
}

/// Pairs of reals as points, colored by class if there are few classes.
fn scatter(
    data: &Dataset,
    split: SplitName,
    values: &[f32],
    labels: Option<Vec<u32>>,
) -> Result<Image, PlotError> {
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
    plot.equal_aspect().size(640, 560).to_image()
}

/// Scales a column (every `stride`-th value) to [0, 1].
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
    use ancestral_data::{Shape, Split, digits, open};
    use ancestral_test_support::assert_hash;

    use super::*;

    #[test]
    fn sheets_of_every_kind() {
        let dir = tempfile::tempdir().unwrap();
        let hash = |sheet: &Image, hash| {
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
        // Pairs are points in the plane.
        let moons = open("moons", &Default::default()).unwrap();
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
    }
}
