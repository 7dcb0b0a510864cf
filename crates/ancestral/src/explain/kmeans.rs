//! K-means step by step: rows go to their nearest center, centers to the mean of their rows; and how often
//! random starts end in a local minimum.

use ancestral_data::Streams;
use ancestral_plot::{Animation, Image, Plot, Series};
use serde_json::json;

use super::shapes::{Draw, Shapes, blobs};
use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::Result;
use crate::clustering::{Init, KmeansConfig, Points, RunStreams};
use crate::run::Session;

/// Rows of each blob.
const EACH: usize = 60;
/// Starts of each kind.
const STARTS: u64 = 200;
/// Pixels of a side of the regions.
const SIDE: usize = 200;
/// The part of the plane that is drawn.
const REACH: f64 = 7.0;
/// Milliseconds of a frame, and of the last.
const FRAME: u32 = 900;
const LAST: u32 = 2500;
/// The pale colors of regions, those of the series of their clusters.
const PALE: [[u8; 3]; 3] = [[0xD9, 0xEA, 0xF4], [0xF9, 0xE5, 0xD6], [0xD6, 0xF0, 0xE8]];

fn squared(point: &[f64], center: &[f64]) -> f64 {
    point.iter().zip(center).map(|(a, b)| (a - b).powi(2)).sum()
}

fn nearest(point: &[f64], centers: &[f64]) -> usize {
    let of = |c: usize| squared(point, &centers[2 * c..2 * c + 2]);
    (0..centers.len() / 2).min_by(|&a, &b| of(a).total_cmp(&of(b))).unwrap_or(0)
}

/// A frame: points by cluster, centers with their ways, regions of the centers.
fn frame(
    title: &str,
    shapes: &Shapes,
    labels: Option<&[usize]>,
    ways: &[Vec<(f64, f64)>],
) -> Result<Image> {
    let centers: Vec<f64> =
        ways.iter().filter_map(|way| way.last()).flat_map(|&(x, y)| [x, y]).collect();
    let mut regions = Image::filled(SIDE, SIDE, [255; 3]);
    if labels.is_some() {
        for at in 0..SIDE * SIDE {
            let place = |at: usize| (2.0 * (at as f64 + 0.5) / SIDE as f64 - 1.0) * REACH;
            let point = [place(at % SIDE), -place(at / SIDE)];
            regions.fill(at % SIDE, at / SIDE, 1, 1, PALE[nearest(&point, &centers)]);
        }
    }
    let points = shapes.points();
    let mut plot = Plot::new(title, "x", "y")
        .background(regions, (-REACH, REACH), (-REACH, REACH))
        .x_range(-REACH, REACH)
        .y_range(-REACH, REACH)
        .size(560, 520);
    for cluster in 0..3 {
        let own = points.iter().enumerate().filter(|(row, _)| match labels {
            Some(labels) => labels[*row] == cluster,
            None => false,
        });
        plot = plot.with(Series::points("", own.map(|(_, p)| *p)).group(cluster));
    }
    if labels.is_none() {
        plot = plot.with(Series::points("", points).group(9));
    }
    for way in ways {
        plot = plot.with(Series::line("", way.clone()).group(6));
        plot = plot.with(Series::points("", way.last().copied()).group(6));
    }
    Ok(plot.to_image()?)
}

/// Draws the steps from a start in one blob, and counts where starts end.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let shapes = blobs(spec.seed(), 1, EACH, 1.0);
    let n = shapes.truth.len();
    let row = |row: usize| &shapes.values[2 * row..2 * row + 2];
    // All centers in the first blob, so that there is a way to go.
    let mut draw = Draw::new(spec.seed(), 9);
    let mut ways: Vec<Vec<(f64, f64)>> =
        (0..3).map(|_| vec![(-4.0 + 1.5 * draw.normal(), -3.0 + 1.5 * draw.normal())]).collect();
    let mut animation = Animation::new();
    animation.push(&frame("start: three centers", &shapes, None, &ways)?, FRAME)?;
    let (mut labels, mut inertias): (Vec<usize>, Vec<(f64, f64)>) = (vec![usize::MAX; n], vec![]);
    let mut steps = 0;
    loop {
        let centers: Vec<f64> =
            ways.iter().filter_map(|way| way.last()).flat_map(|&(x, y)| [x, y]).collect();
        let found: Vec<usize> = (0..n).map(|at| nearest(row(at), &centers)).collect();
        let inertia = (0..n)
            .map(|at| squared(row(at), &centers[2 * found[at]..2 * found[at] + 2]))
            .sum::<f64>();
        steps += 1;
        inertias.push((f64::from(steps), inertia));
        let done = found == labels;
        labels = found;
        let title = match done {
            true => format!("step {steps}: no row changes its center, inertia {inertia:.0}"),
            false => format!("step {steps}, assign: inertia {inertia:.0}"),
        };
        animation.push(
            &frame(&title, &shapes, Some(&labels), &ways)?,
            if done { LAST } else { FRAME },
        )?;
        if done || steps > 60 {
            break;
        }
        for (cluster, way) in ways.iter_mut().enumerate() {
            let own: Vec<usize> = (0..n).filter(|&at| labels[at] == cluster).collect();
            if own.is_empty() {
                continue;
            }
            let mean =
                |axis: usize| own.iter().map(|&at| row(at)[axis]).sum::<f64>() / own.len() as f64;
            way.push((mean(0), mean(1)));
        }
        let title = format!("step {steps}, update: centers to the means of their rows");
        animation.push(&frame(&title, &shapes, Some(&labels), &ways)?, FRAME)?;
    }
    animation.save_gif(spec.out.join("kmeans.gif"))?;

    // Nine blobs, where a start decides.
    let mut draw = Draw::new(spec.seed(), 10);
    let nine: Vec<f64> = (0..9 * 40)
        .flat_map(|at| {
            let center = [(at % 3) as f64 * 4.0, (at / 3 % 3) as f64 * 4.0];
            center.map(|c| c + 0.6 * draw.normal())
        })
        .collect();
    let ends = stoppable(session, "starting K-means", |progress| {
        let mut ends = Vec::new();
        for (kind, init) in [Init::Random, Init::PlusPlus].into_iter().enumerate() {
            let mut found = Vec::new();
            for start in 0..STARTS {
                let config = KmeansConfig {
                    n_clusters: 9,
                    init: init.clone(),
                    n_init: Some(1),
                    ..KmeansConfig::default()
                };
                let streams = RunStreams(Streams::new(spec.seed().wrapping_add(start)));
                if let Ok(kmeans) =
                    Points::new(&nine, 2).and_then(|points| config.fit(points, None, &streams))
                {
                    found.push(kmeans.inertia);
                }
                progress((kind as u64 * STARTS + start + 1) as f64 / (2 * STARTS) as f64)?;
            }
            found.sort_by(f64::total_cmp);
            ends.push(found);
        }
        Ok(ends)
    })?;
    let best = ends.iter().filter_map(|all| all.first().copied()).fold(f64::INFINITY, f64::min);
    let good: Vec<usize> =
        ends.iter().map(|all| all.iter().filter(|&&end| end < 1.001 * best).count()).collect();
    let curve = |all: &[f64]| -> Vec<(f64, f64)> {
        all.iter().enumerate().map(|(at, &end)| (at as f64 + 1.0, end / best)).collect()
    };
    let title = format!("{STARTS} starts on nine blobs");
    Plot::new(title, "starts in order of their inertia", "inertia, relative to the least")
        .with(Series::line("random rows", curve(&ends[0])).group(1))
        .with(Series::line("k-means++", curve(&ends[1])).group(0))
        .save(spec.out.join("starts.png"))?;
    let metrics = json!({
        "steps": steps, "inertia": inertias.iter().map(|point| point.1).collect::<Vec<_>>(),
        "starts": STARTS, "random_at_best": good[0], "plus_plus_at_best": good[1],
        "random_worst": ends[0].last().map(|end| end / best),
        "plus_plus_worst": ends[1].last().map(|end| end / best),
    });
    let course: Vec<String> = inertias.iter().map(|point| format!("{:.0}", point.1)).collect();
    let lines = vec![
        "Each row goes to its nearest center, then each center to the mean of its rows; neither step \
         raises the inertia, the sum of squared distances, so that it ends (kmeans.gif):"
            .to_owned(),
        format!("inertia after each assignment: {}", course.join(", ")),
        format!(
            "It ends in a local minimum, which depends on the start (starts.png): of {STARTS} starts on \
             nine blobs, {} from random rows and {} by k-means++ reach the best.",
            good[0], good[1]
        ),
        "So K-means is started several times: --set n_init=10.".to_owned(),
    ];
    Ok(spec.found(lines, metrics, &["kmeans.gif", "starts.png"]))
}
