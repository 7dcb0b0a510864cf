//! The design matrix of a logistic regression: its terms, and their moments in the data.

use std::sync::atomic::AtomicBool;

use ancestral_data::{Batch, Examples};

use crate::model::{DataSpec, block_sums};
use crate::terms::{Term, TermMoments, terms};
use crate::{Error, Result};

/// The most names that a note or an error lists.
const LISTED: usize = 5;

/// The terms of the columns of data.
#[derive(Debug)]
pub(super) struct Design {
    pub(super) data: DataSpec,
    /// In the order of columns.
    pub(super) terms: Vec<Term>,
}

/// Moments of the terms, and class counts.
pub(super) struct Moments {
    pub(super) of: TermMoments,
    pub(super) classes: Vec<u64>,
}

impl Moments {
    /// The standard deviation of each term; 1 for constant ones.
    pub(super) fn deviations(&self) -> Vec<f64> {
        let deviation = |squares: &f64| (squares / self.of.examples).sqrt();
        self.of.squares.iter().map(deviation).map(|d| if d > 0.0 { d } else { 1.0 }).collect()
    }

    fn merge(&mut self, later: Self) {
        self.of.merge(later.of);
        self.classes.iter_mut().zip(later.classes).for_each(|(sum, n)| *sum += n);
    }
}

/// Standardized terms: each less its mean, in units of its standard deviation.
pub(super) struct Standard {
    terms: Vec<Term>,
    /// The mean of each, and the inverse of its standard deviation.
    means: Vec<f64>,
    factors: Vec<f64>,
    /// Whether they are the columns as they stand, all of them in their order.
    plain: bool,
}

impl Standard {
    /// Some of a design's terms, with the means and standard deviations of all.
    pub(super) fn new(design: &Design, chosen: &[usize], mean: &[f64], scale: &[f64]) -> Self {
        let terms: Vec<Term> = chosen.iter().map(|&t| design.terms[t]).collect();
        let own = |(at, term): (usize, &Term)| term.column == at && term.category.is_none();
        let plain = terms.len() == design.data.size() && terms.iter().enumerate().all(own);
        let means = chosen.iter().map(|&t| mean[t]).collect();
        let factors = chosen.iter().map(|&t| 1.0 / scale[t]).collect();
        Self { terms, means, factors, plain }
    }

    /// The standardized terms of an example.
    pub(super) fn apply(&self, example: &[f64], z: &mut [f64]) {
        let of = self.means.iter().zip(&self.factors);
        if self.plain {
            for (((mean, factor), x), z) in of.zip(example).zip(z) {
                *z = (x - mean) * factor;
            }
        } else {
            for ((term, (mean, factor)), z) in self.terms.iter().zip(of).zip(z) {
                *z = (term.value(example) - mean) * factor;
            }
        }
    }
}

impl Design {
    pub(super) fn new(data: &DataSpec) -> Self {
        Self { data: data.clone(), terms: terms(data) }
    }

    /// Moments of the training examples.
    pub(super) fn moments(&self, examples: &Examples, stop: &AtomicBool) -> Result<Moments> {
        let terms = self.terms.len();
        let empty =
            || Moments { of: TermMoments::empty(terms), classes: vec![0; self.data.classes] };
        let add = |block: &Batch, sums: &mut Moments| {
            let mut own = empty();
            self.check_block(block, &mut own.classes)?;
            let of = &mut own.of;
            of.examples = block.len() as f64;
            let rows = || block.values.chunks_exact(self.data.size());
            for row in rows() {
                for (t, term) in self.terms.iter().enumerate() {
                    let x = term.value(row);
                    of.mean[t] += x;
                    of.least[t] = of.least[t].min(x);
                    of.most[t] = of.most[t].max(x);
                }
            }
            of.mean.iter_mut().for_each(|mean| *mean /= of.examples);
            for row in rows() {
                for (t, term) in self.terms.iter().enumerate() {
                    of.squares[t] += (term.value(row) - of.mean[t]).powi(2);
                }
            }
            sums.merge(own);
            Ok(())
        };
        block_sums(examples, stop, &mut |_| {}, empty, add, Moments::merge)
    }

    /// Refuses examples without labels or with missing values, and counts their classes.
    pub(super) fn check_block(&self, block: &Batch, classes: &mut [u64]) -> Result<()> {
        let first = block.indices.first().copied().unwrap_or(0);
        if let Some(at) = block.missing.iter().flatten().position(|&missing| missing) {
            return Err(unsuitable(format!(
                "example {} has a missing value, which the model does not accept",
                first + (at / self.data.size()) as u64
            )));
        }
        check_finite(&block.values, self.data.size(), first)?;
        let labels = block.labels.as_ref().ok_or_else(|| {
            unsuitable("it is a classifier and these examples have no labels".to_owned())
        })?;
        let known = classes.len();
        for &label in labels {
            *classes.get_mut(label as usize).ok_or_else(|| {
                unsuitable(format!(
                    "an example is of class {label} and the model has {known} classes"
                ))
            })? += 1;
        }
        Ok(())
    }

    /// The columns, or their categories, of terms.
    pub(super) fn names(&self, terms: &[usize]) -> String {
        listed(terms.iter().map(|&t| self.name(t)))
    }

    pub(super) fn name(&self, term: usize) -> String {
        self.terms[term].name(&self.data)
    }
}

/// The first few names, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let first: Vec<String> = names.take(LISTED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// Refuses values that are not finite; `first` is the number of the first example.
pub(super) fn check_finite(values: &[f64], size: usize, first: u64) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(unsuitable(format!(
            "example {} holds {} where a finite number was expected",
            first + (at / size) as u64,
            values[at]
        ))),
    }
}

pub(super) fn unsuitable(problem: String) -> Error {
    Error::UnsuitableData { model: "logistic".to_owned(), problem }
}
