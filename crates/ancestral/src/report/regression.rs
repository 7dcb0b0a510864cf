//! A linear regression as plots: residuals, their quantiles, leverage.

use ancestral_plot::{Plot, Series};

use crate::distributions::families::Distribution;
use crate::distributions::families::normal::Normal;
use crate::regression::linear::Diagnostics;

/// The most rows that are drawn.
const ROWS: usize = 5000;

/// Rows at even distances, and always those with the values farthest from 0.
fn drawn(values: &[f64]) -> Vec<usize> {
    let step = values.len().div_ceil(ROWS).max(1);
    let mut chosen: Vec<usize> = (0..values.len()).step_by(step).collect();
    if step > 1 {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
        chosen.extend(order.into_iter().take(ROWS / 10));
    }
    chosen
}

/// Residuals over fitted values: a pattern in them is what the line misses.
pub fn residual_plot(found: &Diagnostics) -> Plot {
    let rows = drawn(&found.residual);
    let points = rows.into_iter().map(|i| (found.fitted[i], found.residual[i]));
    let title = format!("residuals of {}", found.target);
    Plot::new(title, format!("fitted {}", found.target), "residual")
        .with(Series::points("rows", points))
        .horizontal_marker(0.0, "")
}

/// Quantiles of studentized residuals over those of the normal distribution.
pub fn residual_quantiles(found: &Diagnostics) -> Plot {
    let mut sorted: Vec<f64> =
        found.studentized.iter().copied().filter(|x| x.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let step = n.div_ceil(ROWS).max(1);
    let quantile = |i: usize| Normal.quantile(&[0.0, 1.0], (i as f64 + 0.5) / n as f64);
    // Ends are drawn whole.
    let shown = (0..n).filter(|i| i % step == 0 || *i < 100 || i + 100 > n);
    let points: Vec<(f64, f64)> = shown.map(|i| (quantile(i), sorted[i])).collect();
    let ends = [points.first(), points.last()].into_iter().flatten().map(|&(x, _)| (x, x));
    let line: Vec<(f64, f64)> = ends.collect();
    let title = format!("studentized residuals of {}", found.target);
    Plot::new(title, "normal quantile", "studentized residual")
        .with(Series::dashed("normal", line))
        .with(Series::points("rows", points))
}

/// Studentized residuals over leverages, with the row of the largest distance of Cook.
pub fn leverage_plot(found: &Diagnostics) -> Plot {
    let cook = found.cook();
    let mut rows = drawn(&found.leverage);
    let most = (0..cook.len())
        .filter(|&i| cook[i].is_finite())
        .max_by(|&a, &b| cook[a].total_cmp(&cook[b]));
    rows.extend(most);
    let points = rows.into_iter().map(|i| (found.leverage[i], found.studentized[i]));
    let points: Vec<(f64, f64)> = points.filter(|(_, r)| r.is_finite()).collect();
    let mean = found.coefficients / found.leverage.len().max(1) as f64;
    let title = match most {
        Some(row) => format!(
            "leverage and residuals of {}: Cook's distance at most {:.3} (row {row})",
            found.target, cook[row]
        ),
        None => format!("leverage and residuals of {}", found.target),
    };
    Plot::new(title, "leverage", "studentized residual")
        .with(Series::points("rows", points))
        .horizontal_marker(0.0, "")
        .vertical_marker(2.0 * mean, "twice the mean")
}
