//! The terms of linear predictors: columns, and indicators of their categories after the first.

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
