//! The terms of linear predictors: columns, and indicators of their categories after the first; their
//! moments in data.

use crate::columns::ColumnKind;
use crate::spec::{Columns, DataSpec};

/// A term of a linear predictor: a column, or the indicator of one category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) column: usize,
    pub(crate) category: Option<f64>,
}

impl Term {
    pub(crate) fn value(self, example: &[f64]) -> f64 {
        let x = example[self.column];
        match self.category {
            None => x,
            Some(category) => f64::from(x == category),
        }
    }

    /// The column, or the column and the category.
    pub(crate) fn name(self, data: &DataSpec) -> String {
        let name = data.column_name(self.column);
        self.category.map_or(name.clone(), |category| format!("{name}={category}"))
    }
}

/// The terms of all columns, in their order.
pub(crate) fn terms(data: &DataSpec) -> Vec<Term> {
    let of = |column: usize| {
        let categories = match data.kind(column) {
            Some(ColumnKind::Category(n)) => 1..n,
            _ => 0..1,
        };
        categories.map(move |c| Term { column, category: (c > 0).then_some(f64::from(c)) })
    };
    (0..data.size()).flat_map(of).collect()
}

/// The number of terms of all columns.
pub(crate) fn count(data: &DataSpec) -> usize {
    match &data.columns {
        Columns::Same(kind) => {
            let sides = data.shape.dims().iter();
            sides.fold(count_of(*kind), |all, &side| all.saturating_mul(side))
        }
        Columns::Each(kinds) => {
            kinds.iter().fold(0, |sum: usize, &kind| sum.saturating_add(count_of(kind)))
        }
    }
}

/// The number of terms of a column.
pub(crate) fn count_of(kind: ColumnKind) -> usize {
    match kind {
        ColumnKind::Category(n) => n.saturating_sub(1) as usize,
        _ => 1,
    }
}

/// Means, sums of squares and ranges of terms.
#[derive(Debug)]
pub(crate) struct TermMoments {
    pub(crate) examples: f64,
    pub(crate) mean: Vec<f64>,
    /// Σ (x − mean)².
    pub(crate) squares: Vec<f64>,
    pub(crate) least: Vec<f64>,
    pub(crate) most: Vec<f64>,
}

impl TermMoments {
    /// Of no examples.
    pub(crate) fn empty(terms: usize) -> Self {
        Self {
            examples: 0.0,
            mean: vec![0.0; terms],
            squares: vec![0.0; terms],
            least: vec![f64::INFINITY; terms],
            most: vec![f64::NEG_INFINITY; terms],
        }
    }

    /// Adds later examples, without cancellation (Chan, Golub and LeVeque 1983).
    pub(crate) fn merge(&mut self, later: Self) {
        if self.examples == 0.0 {
            *self = later;
            return;
        }
        let all = self.examples + later.examples;
        let share = later.examples / all;
        for t in 0..self.mean.len() {
            let apart = later.mean[t] - self.mean[t];
            self.squares[t] += later.squares[t] + apart * apart * self.examples * share;
            self.mean[t] += apart * share;
            self.least[t] = self.least[t].min(later.least[t]);
            self.most[t] = self.most[t].max(later.most[t]);
        }
        self.examples = all;
    }
}
