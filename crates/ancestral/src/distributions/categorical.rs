//! Independent categorical columns, fitted by counting: the estimate p̂ of a category is its share of
//! the rows, with standard error √(p̂(1 − p̂)/n). The likelihood is exact.

use ancestral_data::Batch;
use burn::tensor::TensorData;

use super::fitted::open_uniform;
use super::take;
use crate::model::{
    Criteria, DataSpec, Density, DensityKind, DensityOptions, Estimate, FitReport, KindName,
    LogProbability, NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, SumEstimator, product,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Category, KindName::Levels, KindName::Binary];

settings! {
    /// Settings of the fitted categorical distribution.
    pub struct CategoricalConfig {
        /// Pseudo-count added to each category of each column; 0 for maximum likelihood, 1 for
        /// Laplace's rule of succession.
        pub pseudo_count: f64 = 0.0, in 0.0..;
    }
}

/// Independent categorical entries.
pub struct Categorical {
    config: CategoricalConfig,
    data: DataSpec,
    /// Where the categories of each column begin, and where those of the last end.
    starts: Vec<usize>,
    /// The probability of each category of each column.
    theta: Vec<f64>,
}

distribution! {
    Categorical, CategoricalConfig, "categorical",
    about: "independent categorical columns, fitted by counting",
    paper: "maximum likelihood",
    read: CategoricalConfig::from_table,
}

/// The number of categories of a column.
fn categories(data: &DataSpec, column: usize) -> usize {
    data.kind(column).and_then(|kind| kind.max_level()).map_or(1, |top| top as usize + 1)
}

impl CategoricalConfig {
    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check_values()?;
        data.check_kinds("categorical", KINDS)?;
        let columns = product(data.shape.dims());
        let all = match &data.columns {
            crate::spec::Columns::Same(_) => product(&[columns, categories(data, 0)]),
            crate::spec::Columns::Each(kinds) => (0..kinds.len())
                .fold(0usize, |sum, column| sum.saturating_add(categories(data, column))),
        };
        let mut size = SizeBuilder::default();
        size.buffer(&[all]);
        size.kept(columns as u64);
        // Counts, and the estimates with their names.
        size.fixed(product(&[all, 14]) as u64);
        Ok(size.finish())
    }

    /// A model with equal probabilities.
    ///
    /// # Errors
    /// If a setting is out of range or a column is of another kind.
    pub fn init(&self, data: &DataSpec) -> Result<Categorical> {
        self.check_values()?;
        data.check_kinds("categorical", KINDS)?;
        let (mut starts, mut theta) = (vec![0], Vec::new());
        for column in 0..data.size() {
            let n = categories(data, column);
            theta.extend(std::iter::repeat_n(1.0 / n as f64, n));
            starts.push(theta.len());
        }
        Ok(Categorical { config: self.clone(), data: data.clone(), starts, theta })
    }
}

impl Categorical {
    /// The probabilities of a column.
    fn of(&self, column: usize) -> &[f64] {
        match (self.starts.get(column), self.starts.get(column + 1)) {
            (Some(&from), Some(&to)) => self.theta.get(from..to).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// log p of each entry, row after row.
    fn terms(&self, batch: &Batch) -> Vec<f64> {
        let size = self.data.size().max(1);
        let term = |(at, &x): (usize, &f64)| {
            self.of(at % size).get(x as usize).map_or(f64::NEG_INFINITY, |p| p.ln())
        };
        batch.values.iter().enumerate().map(term).collect()
    }
}

impl Categorical {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.theta.len();
        vec![("model.theta".to_owned(), TensorData::new(self.theta.clone(), [n]))]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.theta = take("categorical", tensors, "model.theta", self.theta.len())?;
        Ok(())
    }
}

/// The number of each category of each column, and of examples.
#[derive(Debug, Clone)]
pub struct Tallies {
    counts: Vec<f64>,
    examples: f64,
}

impl SumEstimator for Categorical {
    type Sums = Tallies;

    fn empty(&self) -> Tallies {
        Tallies { counts: vec![0.0; self.theta.len()], examples: 0.0 }
    }

    fn accumulate(&self, block: &Batch, sums: &mut Tallies) -> Result<()> {
        let size = self.data.size().max(1);
        for (at, &x) in block.values.iter().enumerate() {
            let column = at % size;
            let place = self.starts.get(column).map(|from| from + x as usize);
            let end = self.starts.get(column + 1).copied().unwrap_or(0);
            match place.filter(|&place| place < end).and_then(|place| sums.counts.get_mut(place)) {
                Some(count) => *count += 1.0,
                None => {
                    return Err(Error::UnsuitableData {
                        model: "categorical".to_owned(),
                        problem: format!(
                            "column '{}' holds {x}, and its categories are 0 to {}",
                            self.data.column_name(column),
                            categories(&self.data, column).saturating_sub(1)
                        ),
                    });
                }
            }
        }
        sums.examples += block.len() as f64;
        Ok(())
    }

    fn merge(&self, earlier: &mut Tallies, later: Tallies) {
        earlier.counts.iter_mut().zip(later.counts).for_each(|(a, b)| *a += b);
        earlier.examples += later.examples;
    }

    fn finish(&mut self, sums: Tallies) -> Result<FitReport> {
        let pseudo = self.config.pseudo_count;
        let mut estimates = Vec::with_capacity(sums.counts.len());
        let mut theta = Vec::with_capacity(sums.counts.len());
        for column in 0..self.data.size() {
            let n = categories(&self.data, column);
            let total = sums.examples + pseudo * n as f64;
            let name = self.data.column_name(column);
            let from = self.starts.get(column).copied().unwrap_or(0);
            for (category, count) in sums.counts.iter().skip(from).take(n).enumerate() {
                let p = (count + pseudo) / total;
                let stderr = Some((p * (1.0 - p) / total).sqrt());
                let name = format!("p[{name}, {category}]");
                estimates.push(Estimate { name, value: p, stderr });
                theta.push(p);
            }
        }
        self.theta = theta;
        // The probabilities of a column add up to 1.
        let free = Some(self.theta.len().saturating_sub(self.data.size()));
        Ok(FitReport { estimates, free, ..FitReport::default() })
    }
}

impl Density for Categorical {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let terms = self.terms(batch);
        let rows = terms.chunks_exact(self.data.size().max(1));
        Ok(LogProbability { nats: rows.map(|row| row.iter().sum()).collect(), monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.terms(batch)))
    }
}

impl Sampler for Categorical {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let purpose = request.streams.purpose("sample", 0);
        let size = self.data.size();
        let mut out = Vec::with_capacity(request.count * size);
        for index in request.first..request.first + request.count as u64 {
            let mut rng = purpose.item(index);
            out.extend((0..size).map(|column| pick(self.of(column), open_uniform(&mut rng))));
        }
        Ok(out)
    }

    fn has_temperature(&self) -> bool {
        false
    }

    fn has_noise(&self) -> bool {
        false
    }
}

/// The category in whose part of (0, 1) a uniform number lies.
fn pick(theta: &[f64], u: f64) -> f64 {
    let mut sum = 0.0;
    for (category, p) in theta.iter().enumerate() {
        sum += p;
        if u < sum {
            return category as f64;
        }
    }
    // Rounding has left a rest above the last.
    theta.iter().rposition(|&p| p > 0.0).unwrap_or(0) as f64
}

/// The faces of a die, or any categories, by how often each was seen: their probabilities with standard
/// errors, and the log-likelihood of the rows in their order.
///
/// # Errors
/// If nothing was seen, or there are fewer than two categories.
pub fn die(counts: &[u64]) -> Result<(Vec<Estimate>, Criteria)> {
    let n: f64 = counts.iter().map(|&count| count as f64).sum();
    if n == 0.0 || counts.len() < 2 {
        let given = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let allowed =
            "give how often each of two or more categories was seen, at least one of them";
        return Err(Error::setting("counts", given, allowed));
    }
    let estimate = |(category, &count): (usize, &u64)| {
        let p = count as f64 / n;
        let stderr = Some((p * (1.0 - p) / n).sqrt());
        Estimate { name: format!("p[{}]", category + 1), value: p, stderr }
    };
    let term = |&count: &u64| match count as f64 {
        0.0 => 0.0,
        count => count * (count / n).ln(),
    };
    let estimates = counts.iter().enumerate().map(estimate).collect();
    Ok((estimates, Criteria::new(counts.iter().map(term).sum(), n, counts.len() - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_die_has_its_shares() {
        let (estimates, criteria) = die(&[1, 4, 2, 0, 3, 2]).unwrap();
        assert_eq!(estimates[1].value, 4.0 / 12.0);
        assert_eq!(estimates[3].value, 0.0);
        let p = 4.0_f64 / 12.0;
        assert!((estimates[1].stderr.unwrap() - (p * (1.0 - p) / 12.0).sqrt()).abs() < 1e-15);
        let expected: f64 = [1.0_f64, 4.0, 2.0, 3.0, 2.0].iter().map(|c| c * (c / 12.0).ln()).sum();
        assert!((criteria.log_likelihood - expected).abs() < 1e-12);
        assert!((criteria.aic - (10.0 - 2.0 * expected)).abs() < 1e-12);
        assert!(die(&[0, 0]).is_err() && die(&[3]).is_err());
    }

    #[test]
    fn uniform_numbers_pick_categories_with_a_probability() {
        let theta = [0.0, 0.25, 0.75, 0.0];
        assert_eq!(pick(&theta, 0.1), 1.0);
        assert_eq!(pick(&theta, 0.25), 2.0);
        assert_eq!(pick(&theta, 1.0), 2.0);
    }
}
