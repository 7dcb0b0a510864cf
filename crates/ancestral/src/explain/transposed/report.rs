//! Several strides and filters as text, numbers and images.

use ancestral_plot::{Image, heat};
use serde_json::{Value, json};

use super::experiment::{FeatureMap, TransposedConvolution, convolution, transposed_convolution};
use crate::Result;
use crate::explain::spec::{ExplainSpec, Explanation};

/// The sides of the input and of an entry in the image, in pixels.
const SIDE: usize = 4;
const CELL: usize = 14;
/// Strides, each with the side of the filter.
const SHOWN: [(usize, usize); 4] = [(1, 3), (2, 3), (2, 4), (3, 4)];

/// Applies transposed convolutions of several strides and filters to a map, and shows the
/// zero-stuffed map, the output, and the number of terms of each output.
pub(in crate::explain) fn explain(spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let input = input();
    let mut lines = vec![
        "A transposed convolution inserts stride − 1 zeros between the entries of a map and then \
         convolves with stride 1:"
            .to_owned(),
        "a side of n becomes (n − 1) · stride + filter. It is the matrix of the strided \
         convolution, transposed."
            .to_owned(),
    ];
    let mut metrics = Vec::new();
    let mut bands = Vec::new();
    for (stride, width) in SHOWN {
        let filter = filter(width);
        let found = transposed_convolution(&input, &filter, stride)?;
        let probe = FeatureMap {
            side: found.output.side,
            values: (0..found.output.values.len()).map(|i| (1.7 * i as f64).sin()).collect(),
        };
        let there = convolution(&probe, &filter, stride)?.dot(&input);
        let back = probe.dot(&found.output);
        let apart = found.output.difference(&found.convolved);
        let (fewest, most) = inner_terms(&found, width);
        lines.push(format!(
            "stride {stride}, filter {width}×{width}: {SIDE}×{SIDE} zero-stuffed to {0}×{0} (with \
             padding {1}), output {2}×{2}; largest difference of both computations {apart:.1e}; \
             ⟨conv y, x⟩ − ⟨y, transposed x⟩ = {3:.1e}; terms per inner output: {fewest} to {most}{4}",
            found.zero_stuffed.side,
            width - 1,
            found.output.side,
            there - back,
            if fewest < most { ", checkerboard artifacts" } else { "" }
        ));
        metrics.push(json!({
            "stride": stride, "filter": width, "input": SIDE, "stretched": found.zero_stuffed.side,
            "output": found.output.side, "difference": apart, "adjoint_difference": there - back,
            "fewest_terms": fewest, "most_terms": most,
        }));
        bands.push((format!("stride {stride}, filter {width}×{width}"), band(&input, &found)));
    }
    let bands: Vec<(&str, Image)> =
        bands.iter().map(|(title, band)| (title.as_str(), band.clone())).collect();
    Image::vstack(&bands).with_margin(10).save_png(spec.out.join("transposed.png"))?;
    Ok(spec.found(lines, Value::Array(metrics), &["transposed.png"]))
}

/// A smooth bump.
fn input() -> FeatureMap {
    let hill = |i: usize| {
        let (y, x) = ((i / SIDE) as f64 - 1.2, (i % SIDE) as f64 - 1.7);
        0.15 + 0.85 * (-0.5 * (x * x + y * y)).exp()
    };
    FeatureMap { side: SIDE, values: (0..SIDE * SIDE).map(hill).collect() }
}

/// A tent function, asymmetric, so that a missing rotation is visible.
fn filter(width: usize) -> FeatureMap {
    let tent = |i: usize| {
        let off = |at: usize| (at as f64 - (width - 1) as f64 / 2.0).abs() / width as f64;
        (1.0 - off(i / width)) * (1.0 - off(i % width)) + 0.1 * i as f64 / (width * width) as f64
    };
    FeatureMap { side: width, values: (0..width * width).map(tent).collect() }
}

/// The smallest and the largest number of terms of an output away from the border.
fn inner_terms(found: &TransposedConvolution, width: usize) -> (f64, f64) {
    let (rim, side) = (width - 1, found.terms.side);
    let inside = |at: usize| (rim..side - rim).contains(&at);
    let inner = (0..side * side).filter(|i| inside(i / side) && inside(i % side));
    let inner: Vec<f64> = inner.map(|i| found.terms.values[i]).collect();
    (inner.iter().copied().fold(f64::INFINITY, f64::min), inner.iter().copied().fold(0.0, f64::max))
}

/// All steps side by side.
fn band(input: &FeatureMap, found: &TransposedConvolution) -> Image {
    let map = |map: &FeatureMap| heat(&map.values, map.side).enlarged(CELL);
    Image::hstack(&[
        (&format!("input {SIDE}×{SIDE}"), map(input)),
        (&format!("zero-stuffed {0}×{0}", found.zero_stuffed.side), map(&found.zero_stuffed)),
        (&format!("output {0}×{0}", found.output.side), map(&found.output)),
        ("terms per output", map(&found.terms)),
    ])
}
