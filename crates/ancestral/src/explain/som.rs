//! A self-organizing map that unfolds over a square.

use ancestral_data::Streams;
use ancestral_plot::{Animation, Image, Plot, Series};
use serde_json::json;

use super::shapes::Draw;
use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::clustering::{
    Grid, Neighborhood, Points, RunStreams, Som, SomConfig, SomInit, Training,
};
use crate::run::Session;
use crate::{Error, Result};

/// Units along a side.
const SIDE: usize = 12;
/// Rows of data.
const ROWS: usize = 2000;
/// Passes over the rows, each a frame.
const PASSES: usize = 40;
/// The radius at the start and at the end.
const RADII: (f64, f64) = (6.0, 0.6);
/// Milliseconds of a frame, and of the last.
const FRAME: u32 = 200;
const LAST: u32 = 2500;

fn frame(title: &str, points: &[(f64, f64)], weights: &[f64]) -> Result<Image> {
    let at = |row: usize, column: usize| {
        let unit = 2 * (row * SIDE + column);
        (weights[unit], weights[unit + 1])
    };
    let mut plot = Plot::new(title, "x", "y")
        .x_range(-0.03, 1.03)
        .y_range(-0.03, 1.03)
        .size(560, 540)
        .with(Series::points("", points.to_vec()).group(9));
    // Edge by edge, since sharp bends of a line have long corners.
    let mut edges = Vec::new();
    let gap = (f64::NAN, f64::NAN);
    for line in 0..SIDE {
        for step in 1..SIDE {
            edges.extend([at(line, step - 1), at(line, step), gap]);
            edges.extend([at(step - 1, line), at(step, line), gap]);
        }
    }
    plot = plot.with(Series::line("", edges).group(0));
    Ok(plot.to_image()?)
}

/// Draws the map after each pass, from a crumpled start.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let mut draw = Draw::new(spec.seed(), 12);
    let values: Vec<f64> = (0..2 * ROWS).map(|_| draw.uniform()).collect();
    let points: Vec<(f64, f64)> = values.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    let mut weights: Vec<f64> =
        (0..2 * SIDE * SIDE).map(|_| 0.5 + 0.1 * (draw.uniform() - 0.5)).collect();
    let wrong = |error: crate::clustering::Error| Error::UnsuitableData {
        model: "som".to_owned(),
        problem: error.to_string(),
    };
    let rows = Points::new(&values, 2).map_err(wrong)?;
    let mut errors = Vec::new();
    let mut animation = Animation::new();
    animation.push(&frame("start: all units in the middle", &points, &weights)?, LAST / 2)?;
    stoppable(session, "unfolding a map", |progress| {
        for pass in 0..PASSES {
            let share = pass as f64 / (PASSES - 1) as f64;
            let sigma = RADII.0 * (RADII.1 / RADII.0).powf(share);
            let config = SomConfig {
                rows: SIDE,
                columns: SIDE,
                grid: Grid::Rectangular,
                neighborhood: Neighborhood::Gaussian,
                sigma: Some(sigma),
                init: SomInit::Weights(weights.clone()),
                training: Training::Batch { epochs: 1 },
            };
            let streams = RunStreams(Streams::new(spec.seed()));
            let som: Som = config.fit(rows, &streams).map_err(wrong)?;
            let found = som.assign(rows).map_err(wrong)?;
            errors.push((
                sigma,
                som.quantization_error(&found),
                som.topographic_error(&found).unwrap_or(0.0),
            ));
            weights = som.weights().to_vec();
            let title = format!("pass {}: radius {sigma:.1}", pass + 1);
            let time = if pass + 1 == PASSES { LAST } else { FRAME };
            animation.push(&frame(&title, &points, &weights)?, time)?;
            progress((pass + 1) as f64 / PASSES as f64)?;
        }
        Ok(())
    })?;
    animation.save_gif(spec.out.join("som.gif"))?;
    let curve = |of: &dyn Fn(&(f64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        errors.iter().enumerate().map(|(pass, e)| (pass as f64 + 1.0, of(e))).collect()
    };
    Plot::new("errors of the map", "passes over the rows", "error")
        .with(Series::line("quantization error", curve(&|e| e.1)))
        .with(Series::line("topographic error", curve(&|e| e.2)))
        .save(spec.out.join("errors.png"))?;
    let last = errors.last().copied().unwrap_or((0.0, 0.0, 0.0));
    let first = errors.first().copied().unwrap_or((0.0, 0.0, 0.0));
    let metrics = json!({
        "units": SIDE * SIDE, "rows": ROWS, "passes": PASSES,
        "quantization_error": { "first": first.1, "last": last.1 },
        "topographic_error": { "first": first.2, "last": last.2 },
    });
    let lines = vec![
        format!(
            "Each row draws its nearest unit toward it, and the units near that one on the grid along; \
             while their radius shrinks, the {SIDE} × {SIDE} units unfold over the square (som.gif)."
        ),
        format!(
            "The quantization error, the mean distance of rows to their units, falls from {:.3} to {:.3}; \
             the topographic error, the share of rows whose two nearest units are not neighbors on the \
             grid, is {:.3} at the end (errors.png).",
            first.1, last.1, last.2
        ),
    ];
    Ok(spec.found(lines, metrics, &["som.gif", "errors.png"]))
}
