//! The grid of a self-organizing map.

use super::super::error::{Result, setting};

/// The shape of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grid {
    /// Units on a square lattice; each is adjacent to up to eight others.
    #[default]
    Rectangular,
    /// A rectangular grid whose opposite edges are joined.
    Torus,
    /// Units on a hexagonal lattice, every second row half a step to the right; each is adjacent to up to six
    /// others.
    Hexagonal,
}

/// Units, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Units {
    grid: Grid,
    rows: usize,
    columns: usize,
}

impl Units {
    pub(super) fn new(grid: Grid, rows: usize, columns: usize) -> Result<Self> {
        let allowed = "it is at least 1, with at most 1,000,000 units in all";
        if rows == 0 {
            return setting("rows", rows, allowed);
        }
        if columns == 0 || rows.saturating_mul(columns) > 1_000_000 {
            return setting("columns", columns, allowed);
        }
        Ok(Self { grid, rows, columns })
    }

    /// The number of units.
    pub(super) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether the grid is hexagonal.
    pub(super) fn is_hexagonal(&self) -> bool {
        self.grid == Grid::Hexagonal
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The place of a unit, in steps between neighbors of a row.
    pub(super) fn place(&self, unit: usize) -> (f64, f64) {
        let (row, column) = (unit / self.columns, unit % self.columns);
        if self.grid == Grid::Hexagonal {
            (column as f64 + (row % 2) as f64 / 2.0, row as f64 * 0.75f64.sqrt())
        } else {
            (column as f64, row as f64)
        }
    }

    /// The distances between two units along rows and along columns.
    pub(super) fn apart(&self, a: usize, b: usize) -> (f64, f64) {
        let (a, b) = (self.place(a), self.place(b));
        let (x, y) = ((a.0 - b.0).abs(), (a.1 - b.1).abs());
        if self.grid == Grid::Torus {
            (x.min(self.columns as f64 - x), y.min(self.rows as f64 - y))
        } else {
            (x, y)
        }
    }

    /// Whether two units are adjacent.
    pub(super) fn adjacent(&self, a: usize, b: usize) -> bool {
        let (x, y) = self.apart(a, b);
        let least = if self.grid == Grid::Hexagonal { 1.01 } else { 1.42 };
        a != b && x.hypot(y) < least
    }

    /// The units adjacent to a unit, in order.
    pub(super) fn neighbors(&self, unit: usize) -> Vec<usize> {
        let (row, column) = (unit / self.columns, unit % self.columns);
        let around = |at: usize, size: usize| -> Vec<usize> {
            (0..size).filter(|&i| i.abs_diff(at) <= 1 || i.abs_diff(at) + 1 == size).collect()
        };
        let rows = around(row, self.rows);
        let columns = around(column, self.columns);
        rows.iter()
            .flat_map(|row| columns.iter().map(move |column| row * self.columns + column))
            .filter(|&other| self.adjacent(unit, other))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_neighbors_of_their_grid() {
        let count = |grid, rows, columns| {
            let units = Units::new(grid, rows, columns).unwrap();
            let all: Vec<usize> = (0..units.len()).map(|u| units.neighbors(u).len()).collect();
            for unit in 0..units.len() {
                let all: Vec<usize> =
                    (0..units.len()).filter(|&other| units.adjacent(unit, other)).collect();
                assert_eq!(units.neighbors(unit), all);
            }
            all
        };
        assert_eq!(count(Grid::Rectangular, 3, 4), [3, 5, 5, 3, 5, 8, 8, 5, 3, 5, 5, 3]);
        assert_eq!(count(Grid::Torus, 4, 5), [8; 20]);
        assert_eq!(count(Grid::Hexagonal, 3, 3), [2, 4, 3, 5, 6, 3, 2, 4, 3]);
        assert_eq!(count(Grid::Rectangular, 1, 1), [0]);
        assert_eq!(count(Grid::Torus, 1, 2), [1, 1]);
        assert!(Units::new(Grid::Torus, 0, 5).is_err());
        assert!(Units::new(Grid::Torus, usize::MAX, 5).is_err());
    }
}
