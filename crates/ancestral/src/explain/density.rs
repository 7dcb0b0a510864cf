//! A density is not a probability: it may exceed 1 and depends on the unit; its integral does not.

use std::f64::consts::PI;

use ancestral_plot::{Plot, Series};
use serde_json::{Value, json};

use super::spec::{ExplainSpec, Explanation};
use crate::Result;

/// Standard deviations of the Gaussians.
const SIGMAS: [f64; 3] = [1.0, 0.4, 0.1];

/// Heights, integrals and a probability of Gaussians.
pub(super) fn explain(spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let mut plot = Plot::new("a density may be above 1; its area is 1", "x", "density p(x)");
    let mut lines =
        vec!["A density is probability per unit of x: its height is not a probability.".to_owned()];
    let mut metrics = Vec::new();
    for (i, sigma) in SIGMAS.into_iter().enumerate() {
        let curve = (0..=800).map(|i| {
            let x = -2.0 + 4.0 * f64::from(i) / 800.0;
            (x, normal(x, sigma))
        });
        plot = plot.with(Series::line(format!("σ = {sigma}"), curve).group(i));
        let (height, whole, near) =
            (normal(0.0, sigma), area(-8.0 * sigma, 8.0 * sigma, sigma), area(-0.05, 0.05, sigma));
        lines.push(format!(
            "N(0, {sigma}²): height at 0 is {height:.3}, the area is {whole:.4}, and \
             P(−0.05 < x < 0.05) = {near:.4}"
        ));
        metrics.push(json!({ "sigma": sigma, "height": height, "area": whole, "near": near }));
    }
    lines.push(
        "The same lengths in millimeters instead of meters: heights are 1000 times smaller, \
         log-densities fall by log 1000 = 6.908 nats per dimension, and no probability changes."
            .to_owned(),
    );
    let band = (0..=100).map(|i| {
        let x = -0.05 + 0.1 * f64::from(i) / 100.0;
        (x, normal(x, 0.1))
    });
    plot.with(Series::area("P(−0.05 < x < 0.05), σ = 0.1", band).group(2))
        .horizontal_marker(1.0, "1")
        .save(spec.out.join("density.png"))?;
    Ok(spec.found(lines, Value::Array(metrics), &["density.png"]))
}

/// The density of N(0, σ²).
fn normal(x: f64, sigma: f64) -> f64 {
    (-0.5 * (x / sigma).powi(2)).exp() / (sigma * (2.0 * PI).sqrt())
}

/// Its integral over an interval, by the midpoint rule.
fn area(from: f64, to: f64, sigma: f64) -> f64 {
    let cells = 20_000;
    let width = (to - from) / f64::from(cells);
    (0..cells).map(|i| normal(from + (f64::from(i) + 0.5) * width, sigma) * width).sum()
}
