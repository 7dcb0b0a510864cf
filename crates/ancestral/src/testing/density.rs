//! Log-probabilities, bounds, and terms by column.

use ancestral_data::{Batch, Domain};

use super::case::Subject;
use super::problem::{Problem, Tried, ensure, refused};
use crate::model::{Density, DensityKind, DensityOptions, Model, column_terms, log_probability};

/// Rows that are scored at once.
const AT_ONCE: usize = 4096;
/// The largest number of examples that probabilities are summed over.
const MOST_VALUES: usize = 1 << 15;
/// Grid points per dimension of the integral of a density.
const GRID: usize = 600;
/// How far the grid extends beyond the data on each side, in ranges of the data.
const REACH: f64 = 6.0;
/// Importance samples of bounds.
const SAMPLES: usize = 20;

/// Log-probabilities are batch-invariant, up to rounding.
pub(super) fn depends_on_the_example_alone(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(density) = model.density() else { return Ok(0) };
    let options = DensityOptions::new(SAMPLES, 2);
    let chosen = [4, 9, 2];
    let all = density.log_probability(&subject.batch(&chosen)?, options.clone())?.nats;
    ensure!(all.len() == 3, "{} log-probabilities of 3 examples", all.len());
    for (nats, index) in all.iter().zip(chosen) {
        let one = density.log_probability(&subject.batch(&[index])?, options.clone())?.nats[0];
        let near = (one - nats).abs() < 1e-5 * (1.0 + nats.abs());
        ensure!(near, "example {index}: {one} alone, {nats} in a batch");
    }
    Ok(3)
}

/// Probabilities sum to 1 over all possible examples, if these are few; densities of one or two real columns
/// integrate to 1 on a grid around the data. Bounds with a standard error do not sum to more.
pub(super) fn sums_to_one(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(density) = model.density() else { return Ok(0) };
    if model.target().is_some() {
        return Ok(0);
    }
    let size = subject.size();
    let mass = density.is_mass(model.data());
    let (sum, points, rounding) = match subject.domain().max_level() {
        Some(top) if mass => {
            let base = top as usize + 1;
            let count = u32::try_from(size).ok().and_then(|size| base.checked_pow(size));
            let Some(count) = count.filter(|&count| count <= MOST_VALUES) else { return Ok(0) };
            let row = |i: usize| (0..size).map(move |j| (i / base.pow(j as u32) % base) as f64);
            (Sum::over(subject, density, (0..count).map(row))?, count, 1e-4)
        }
        _ if !mass && size <= 2 => {
            let (starts, widths) = grid(subject)?;
            let (starts, widths) = (&starts, &widths);
            let row = |i: usize| {
                (0..size).map(move |j| {
                    let at = i / GRID.pow(j as u32) % GRID;
                    starts[j] + (at as f64 + 0.5) * widths[j]
                })
            };
            let count = GRID.pow(size as u32);
            let cell = widths.iter().product();
            (Sum::over(subject, density, (0..count).map(row))?.times(cell), count, 0.01)
        }
        _ => return Ok(0),
    };
    let Sum { total, error } = sum;
    match (density.kind(SAMPLES), error) {
        (DensityKind::Exact, _) => {
            let one = (total - 1.0).abs() < rounding;
            ensure!(one, "over {points} points it sums to {total}, not to 1");
        }
        (DensityKind::LowerBound { .. }, Some(error)) => {
            let most = 1.0 + rounding + 5.0 * error;
            ensure!(total < most, "over {points} points it sums to {total} ± {error}, more than 1");
        }
        (DensityKind::LowerBound { .. }, None) => return Ok(0),
    }
    Ok(points)
}

/// The grid around the data: its start and the width of its cells, by column.
fn grid(subject: &Subject<'_>) -> Result<(Vec<f64>, Vec<f64>), Problem> {
    let (size, examples) = (subject.size(), subject.examples()?);
    let values = examples.batch(&(0..examples.len() as u64).collect::<Vec<_>>(), 0).values;
    let column = |j: usize| {
        let column = values.iter().skip(j).step_by(size).copied();
        let least = column.clone().fold(f64::INFINITY, f64::min);
        let range = (column.fold(f64::NEG_INFINITY, f64::max) - least).max(1e-3);
        (least - REACH * range, (1.0 + 2.0 * REACH) * range / GRID as f64)
    };
    Ok((0..size).map(column).unzip())
}

/// A sum of probabilities, with its standard error if known.
struct Sum {
    total: f64,
    error: Option<f64>,
}

impl Sum {
    /// The sum over some rows, all of class 0 if there are classes.
    fn over<R: Iterator<Item = f64>>(
        subject: &Subject<'_>,
        density: &dyn Density,
        mut rows: impl Iterator<Item = R>,
    ) -> Result<Self, Problem> {
        let (mut total, mut variance) = (0.0, Some(0.0));
        loop {
            let values: Vec<f64> = rows.by_ref().take(AT_ONCE).flatten().collect();
            let count = values.len() / subject.size();
            if count == 0 {
                return Ok(Self { total, error: variance.map(f64::sqrt) });
            }
            let labels = (subject.case.data.classes() > 0).then(|| vec![0; count]);
            let batch = Batch { labels, ..Batch::of(values, count) };
            let found = density.log_probability(&batch, DensityOptions::new(SAMPLES, 2))?;
            total += found.nats.iter().map(|nats| nats.exp()).sum::<f64>();
            variance = variance.zip(found.monte_carlo).map(|(variance, errors)| {
                let each = found.nats.iter().zip(errors.iter().map(|found| found.stderr));
                variance + each.map(|(nats, error)| (nats.exp() * error).powi(2)).sum::<f64>()
            });
        }
    }

    fn times(self, factor: f64) -> Self {
        Self { total: factor * self.total, error: self.error.map(|error| factor * error) }
    }
}

/// Terms by column add up to the log-probability.
pub(super) fn terms_add_up(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    if model.density().is_none() {
        return Ok(0);
    }
    let (size, batch) = (subject.size(), subject.batch(&[4, 9, 2])?);
    let Some(terms) = column_terms(model.as_ref(), &batch)? else { return Ok(0) };
    ensure!(terms.len() == 3 * size, "{} terms of 3 examples of {size} columns", terms.len());
    let nats = log_probability(model.as_ref(), &batch, DensityOptions::new(1, 0))?.nats;
    for (terms, total) in terms.chunks_exact(size).zip(nats) {
        let sum: f64 = terms.iter().sum();
        let near = (sum - total).abs() <= 1e-9 * total.abs();
        ensure!(near, "the terms add up to {sum} and the log-probability is {total}");
    }
    Ok(3)
}

/// The number of terms by column that each entry of an example changes, in ascending order; `None` for models whose
/// log-probability is not a sum over columns.
///
/// # Errors
/// If an entry does not change its own term, or the example does not fit the model.
pub fn changed_terms(model: &dyn Model, example: &Batch) -> Result<Option<Vec<usize>>, Problem> {
    let Some(density) = model.density() else { return Ok(None) };
    let reals = model.data().domain() == Some(Domain::Real) || !density.is_mass(model.data());
    let row = &example.values;
    let terms = |values: Vec<f64>| column_terms(model, &Batch { values, ..example.clone() });
    let Some(plain) = terms(row.clone())? else { return Ok(None) };
    let mut changed = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let mut other = row.clone();
        other[column] = match row[column] {
            x if reals => x + 0.37,
            x if x > 0.5 => 0.0,
            _ => 1.0,
        };
        let other = terms(other)?.unwrap_or_default();
        // The rounding of a single-precision sum is distributed over its terms.
        let apart = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-5 * a.abs().max(1e-3);
        let apart: Vec<bool> = plain.iter().zip(&other).map(apart).collect();
        let own = apart.get(column) == Some(&true);
        ensure!(own, "column {column} does not change its own term");
        changed.push(apart.into_iter().filter(|&apart| apart).count());
    }
    changed.sort_unstable();
    Ok(Some(changed))
}

/// A column's term depends only on the columns before it in some ordering.
pub(super) fn terms_belong_to_their_columns(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(changed) = changed_terms(model.as_ref(), &subject.batch(&[4])?)? else { return Ok(0) };
    // Counts are distinct if every column affects those after it.
    for (i, &count) in changed.iter().enumerate() {
        ensure!(
            count <= i + 1,
            "a column changes {count} terms, which is in no order: {changed:?}"
        );
    }
    Ok(changed.len())
}

/// Members that an ensemble does not have are refused.
pub(super) fn members_are_checked(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(density) = model.density() else { return Ok(0) };
    let batch = subject.batch(&[4])?;
    let asked = |members: std::ops::Range<u64>| {
        let options = DensityOptions { members, ..DensityOptions::new(3, 1) };
        log_probability(model.as_ref(), &batch, options)
    };
    let count = density.ensemble().map_or(Some(1), |ensemble| ensemble.count);
    let mut bad = vec![0..0, 3..3];
    bad.extend(count.map(|count| 0..count + 1));
    bad.extend(count.map(|count| count..count + 1));
    for members in bad {
        let part = format!("members {} to {} were requested", members.start, members.end);
        let error = refused(asked(members), &part, &[&part])?;
        let names = error.to_string().starts_with(model.name());
        ensure!(names, "the error does not begin with the model's name: {error}");
    }
    let count = count.unwrap_or(4);
    for members in [0..count, count - 1..count] {
        let nats = asked(members.clone())?.nats[0];
        ensure!(nats.is_finite(), "members {members:?} give {nats}");
    }
    Ok(1)
}
