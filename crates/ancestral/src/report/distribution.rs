//! Fitted univariate distributions as plots: density or mass over the data, Q–Q and P–P, the
//! likelihood as a function of the parameters, the fits of several families.

use ancestral_plot::{Plot, Series};

use crate::Result;
use crate::distributions::categorical::die;
use crate::distributions::families::compare::Ranking;
use crate::distributions::families::family::Domain;
use crate::distributions::families::{Distribution, Fit, FitOptions, Sample, by_name};
use crate::distributions::{coin, coin_log_likelihood};
use crate::special::gamma::chi_squared_tails;

/// Points of a curve.
const POINTS: usize = 400;
/// Points of a plot of quantiles or probabilities.
const MOST_DOTS: usize = 500;
/// Cells along each side of a map of the likelihood.
const CELLS: usize = 81;
/// Points of a profile of the likelihood.
const PROFILE: usize = 61;
/// Rows that plots take of those that are not held.
const MOST_ROWS: usize = 1 << 20;
/// Fits of one kind that a plot shows.
const SHOWN: usize = 4;
/// The share of the rows that a plot leaves out on each side, if they are far away.
const FAR: f64 = 0.005;

/// The part of the axis where the rows lie, without rows far away from the others.
fn window(sample: &Sample, whole: bool) -> (f64, f64) {
    let points = sample.points();
    let (low, high) = points.range();
    let (a, b) = (points.quantile(FAR), points.quantile(1.0 - FAR));
    let reach = (b - a).max(f64::MIN_POSITIVE);
    let near = |end: f64, inner: f64| if (end - inner).abs() > 0.6 * reach { inner } else { end };
    let (low, high) = (near(low, a), near(high, b));
    let margin = if low == high { low.abs().max(1.0) * 0.1 } else { 0.04 * (high - low) };
    match whole {
        true => (low - 0.6, high + 0.6),
        false => (low - margin, high + margin),
    }
}

/// The bars of a histogram over a window: heights are densities, of whole numbers shares.
fn bars(sample: &Sample, (low, high): (f64, f64), discrete: bool) -> Vec<(f64, f64)> {
    let distinct = sample.points().distinct();
    let total = distinct.exact_weight();
    if discrete && high - low <= 200.0 {
        let inside = distinct.weighted_values().filter(|(x, _)| (low..=high).contains(x));
        return inside.map(|(x, w)| (x, w / total)).collect();
    }
    // Freedman and Diaconis (1981).
    let spread = distinct.quantile(0.75) - distinct.quantile(0.25);
    let width = 2.0 * spread / total.cbrt();
    let wanted = if width > 0.0 { ((high - low) / width).ceil() } else { 20.0 };
    let count = wanted.clamp(8.0, 60.0) as usize;
    let width = (high - low) / count as f64;
    let mut heights = vec![0.0; count];
    for (x, w) in distinct.weighted_values().filter(|(x, _)| (low..=high).contains(x)) {
        let at = (((x - low) / width) as usize).min(count - 1);
        heights[at] += w;
    }
    let unit = if discrete { total } else { total * width };
    let center = |at: usize| low + (at as f64 + 0.5) * width;
    heights.iter().enumerate().map(|(at, w)| (center(at), w / unit)).collect()
}

/// The density of a fit as a line over a window, or its mass as points.
fn curve(family: &dyn Distribution, theta: &[f64], (low, high): (f64, f64), name: &str) -> Series {
    if family.is_discrete() {
        let (from, to) = (low.ceil() as i64, high.floor() as i64);
        let step = ((to - from) / POINTS as i64).max(1) as usize;
        let mass = |k: i64| (k as f64, family.log_density(theta, k as f64).exp());
        return Series::points(name, (from..=to).step_by(step).map(mass));
    }
    let x = |i: usize| low + (high - low) * i as f64 / POINTS as f64;
    let point = |i: usize| (x(i), family.log_density(theta, x(i)).exp());
    Series::line(name, (0..=POINTS).map(point))
}

/// A number for a label: four significant digits.
fn short(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 || !x.is_finite() {
        return x.to_string().replace("inf", "∞").replace('-', "−");
    }
    let text = if (1e-3..1e5).contains(&size) {
        let decimals = usize::try_from(3 - size.log10().floor() as i32).unwrap_or(0);
        let text = format!("{x:.decimals$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    } else {
        format!("{x:.3e}")
    };
    text.replace('-', "−")
}

/// The color of histograms, a gray.
const GRAY: usize = 9;

/// A family with its parameters, for a title.
fn label(family: &dyn Distribution, theta: &[f64]) -> String {
    let values = family.parameters().iter().zip(theta);
    let values: Vec<String> = values.map(|(p, x)| format!("{} {}", p.name, short(*x))).collect();
    format!("{}, {}", family.name(), values.join(", "))
}

/// A window that does not begin before the support, nor end behind it.
fn within(family: &dyn Distribution, theta: &[f64], window: (f64, f64)) -> (f64, f64) {
    let support = family.support(theta);
    let inside = (window.0.max(support.lower), window.1.min(support.upper));
    if !family.is_discrete() && inside.0 < inside.1 { inside } else { window }
}

/// The density or mass of a fit over a histogram of its rows; censored rows count at their known end, or
/// in the middle of both.
pub fn fitted_density(family: &dyn Distribution, fit: &Fit, sample: &Sample, column: &str) -> Plot {
    let (discrete, theta) = (family.is_discrete(), &fit.parameters);
    let window = within(family, theta, window(sample, discrete));
    let what = if discrete { "probability" } else { "density" };
    let rows = match (sample.intervals().is_empty(), discrete) {
        (false, _) => "rows, censored at their end",
        (true, true) => "share of the rows",
        (true, false) => "the rows",
    };
    Plot::new(format!("{column}: {}", label(family, theta)), column, what)
        .with(Series::bars(rows, bars(sample, window, discrete)).group(GRAY))
        .with(curve(family, theta, window, family.name()).group(1))
        .x_range(window.0, window.1)
}

/// The exact rows in ascending order with the middle of their step of the distribution function, at
/// most some hundreds of them.
fn steps(sample: &Sample) -> Vec<(f64, f64)> {
    let distinct = sample.distinct();
    let total = distinct.exact_weight();
    let mut below = 0.0;
    let mut all = Vec::with_capacity(distinct.values().len());
    for (x, w) in distinct.weighted_values() {
        all.push((x, (below + 0.5 * w) / total));
        below += w;
    }
    let n = all.len();
    if n <= MOST_DOTS {
        return all;
    }
    // Evenly spaced, and all of both ends.
    let ends = MOST_DOTS / 10;
    let step = (n - 2 * ends) as f64 / (MOST_DOTS - 2 * ends) as f64;
    let inner = (0..MOST_DOTS - 2 * ends).map(|i| ends + (i as f64 * step) as usize);
    let places = (0..ends).chain(inner).chain(n - ends..n);
    places.filter_map(|at| all.get(at).copied()).collect()
}

/// The quantiles of the rows against those of the fit: on the line, where the fit holds.
pub fn quantile_plot(family: &dyn Distribution, fit: &Fit, sample: &Sample, column: &str) -> Plot {
    let theta = &fit.parameters;
    let dots: Vec<(f64, f64)> =
        steps(sample).into_iter().map(|(x, p)| (family.quantile(theta, p), x)).collect();
    let finite = dots.iter().flat_map(|(a, b)| [*a, *b]).filter(|x| x.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    Plot::new(
        format!("{column}: Q–Q plot, {}", family.name()),
        format!("quantile of the fitted {} distribution", family.name()),
        format!("quantile of {column}"),
    )
    .with(Series::dashed("equal", [(low, low), (high, high)]).group(1))
    .with(Series::points("", dots).group(0))
    .size(640, 560)
}

/// The probabilities of the fit against those of the rows: on the line, where the fit holds.
pub fn probability_plot(
    family: &dyn Distribution,
    fit: &Fit,
    sample: &Sample,
    column: &str,
) -> Plot {
    let theta = &fit.parameters;
    let of = |x: f64| match family.is_discrete() {
        // The middle of the step, as for the rows.
        true => 0.5 * (family.cdf(theta, x) + family.cdf(theta, x - 1.0)),
        false => family.cdf(theta, x),
    };
    let dots: Vec<(f64, f64)> = steps(sample).into_iter().map(|(x, p)| (of(x), p)).collect();
    Plot::new(
        format!("{column}: P–P plot, {}", family.name()),
        format!("probability by the fitted {} distribution", family.name()),
        "share of the rows",
    )
    .with(Series::dashed("equal", [(0.0, 0.0), (1.0, 1.0)]).group(1))
    .with(Series::points("", dots).group(0))
    .x_range(-0.02, 1.02)
    .y_range(-0.02, 1.02)
    .size(640, 560)
}

/// Where a parameter is plotted: its interval, or standard errors around it, and some more.
fn reach(family: &dyn Distribution, fit: &Fit, place: usize) -> Option<(f64, f64)> {
    let estimate = fit.estimates.get(place)?;
    let value = estimate.value;
    let finite = |(a, b): (f64, f64)| (a.is_finite() && b.is_finite() && a < b).then_some((a, b));
    let (low, high) = estimate.interval.and_then(finite).or_else(|| {
        let error = estimate.stderr.filter(|e| *e > 0.0)?;
        Some((value - 2.0 * error, value + 2.0 * error))
    })?;
    let (low, high) = (value - 1.7 * (value - low), value + 1.7 * (high - value));
    // Within the range of the parameter.
    Some(match family.parameters().get(place)?.domain {
        Domain::Real => (low, high),
        Domain::Positive => (low.max(0.02 * value), high),
        Domain::Unit => (low.max(0.02 * value), high.min(1.0 - 0.02 * (1.0 - value))),
    })
}

/// The quantile of χ² with these degrees of freedom, by bisection.
fn chi_squared_quantile(df: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if chi_squared_tails(df, middle).lower.exp() < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The likelihood as a function of the free parameters: a curve for one; for two a map with the contour
/// of the joint confidence region; for three the profile of the first. `None` where a parameter is at
/// a limit, or has neither an error nor an interval.
pub fn likelihood_plot(
    family: &dyn Distribution,
    fit: &Fit,
    sample: &Sample,
    column: &str,
    confidence: f64,
) -> Option<Plot> {
    let theta = &fit.parameters;
    let free: Vec<usize> =
        (0..theta.len()).filter(|&i| fit.estimates.get(i).is_some_and(|e| !e.fixed)).collect();
    let inside: Vec<usize> = free
        .iter()
        .copied()
        .filter(|&i| theta[i].is_finite() && reach(family, fit, i).is_some())
        .collect();
    let likelihood = family.log_likelihood(sample);
    let best = likelihood(theta);
    match (free.len(), inside.as_slice()) {
        (2, &[first, second]) => {
            Some(contours(family, fit, column, confidence, (first, second), &|t| {
                likelihood(t) - best
            }))
        }
        (_, &[first, ..]) => {
            let (low, high) = reach(family, fit, first)?;
            let count = if free.len() == 1 { POINTS } else { PROFILE };
            let parameter = family.parameters().get(first)?;
            let at = |i: usize| {
                let x = low + (high - low) * i as f64 / count as f64;
                let value = if free.len() == 1 {
                    let mut moved = theta.clone();
                    moved[first] = x;
                    likelihood(&moved) - best
                } else {
                    let mut options = FitOptions::default().without_intervals();
                    for (e, p) in fit.estimates.iter().zip(family.parameters()) {
                        if e.fixed {
                            options = options.fix(p.name, e.value);
                        }
                    }
                    let found = family.fit(sample, &options.fix(parameter.name, x));
                    found.map_or(f64::NAN, |f| f.log_likelihood - fit.log_likelihood)
                };
                (x, value.exp())
            };
            let what = if free.len() == 1 { "likelihood" } else { "profile likelihood" };
            let cut = (-0.5 * chi_squared_quantile(1.0, confidence)).exp();
            let estimate = fit.estimates.get(first)?;
            let mut plot = Plot::new(
                format!("{column}: {what} of the {} distribution", family.name()),
                parameter.about,
                format!("{what} ÷ its maximum"),
            )
            .with(Series::area("", (0..=count).map(at)))
            .vertical_marker(estimate.value, format!("maximum {}", short(estimate.value)))
            .horizontal_marker(
                cut,
                format!("{} % interval by the likelihood ratio", short(100.0 * confidence)),
            )
            .x_range(low, high);
            let inner = |x: &f64| x.is_finite() && *x > low && *x < high;
            for end in estimate.interval.iter().flat_map(|(a, b)| [*a, *b]).filter(inner) {
                plot = plot.vertical_marker(end, short(end));
            }
            Some(plot)
        }
        _ => None,
    }
}

/// A map of the log-likelihood of two parameters below its maximum.
fn contours(
    family: &dyn Distribution,
    fit: &Fit,
    column: &str,
    confidence: f64,
    (first, second): (usize, usize),
    below: &(dyn Fn(&[f64]) -> f64 + Sync),
) -> Plot {
    let theta = &fit.parameters;
    let around = |place: usize| reach(family, fit, place).unwrap_or((0.0, 1.0));
    let (x, y) = (around(first), around(second));
    // The map is a rectangle of cells, and contours run between their centers.
    let center =
        |(low, high): (f64, f64), at: usize| low + (high - low) * (at as f64 + 0.5) / CELLS as f64;
    let mut values = Vec::with_capacity(CELLS * CELLS);
    for row in (0..CELLS).rev() {
        for cell in 0..CELLS {
            let mut moved = theta.clone();
            (moved[first], moved[second]) = (center(x, cell), center(y, row));
            values.push(below(&moved));
        }
    }
    let value = |cell: usize, row: usize| values[(CELLS - 1 - row) * CELLS + cell];
    // Below −8 nothing is told apart.
    let shown: Vec<f64> =
        values.iter().map(|v| if v.is_nan() { -8.0 } else { v.clamp(-8.0, 0.0) }).collect();
    let names = family.parameters();
    let about = |place: usize| names.get(place).map_or("", |p| p.about);
    let mut plot = Plot::new(
        format!("{column}: likelihood of the {} distribution", family.name()),
        about(first),
        about(second),
    )
    .with_map_between(
        &shown,
        CELLS,
        x,
        y,
        "log-likelihood below its maximum, nats",
        (-8.0, 0.0),
    );
    for (share, name) in [
        (0.5, "50 % region".to_owned()),
        (confidence, format!("{} % region", short(100.0 * confidence))),
    ] {
        let level = -0.5 * chi_squared_quantile(2.0, share);
        let line = contour(&value, level, |at| center(x, at), |at| center(y, at));
        let series =
            if share == 0.5 { Series::dashed(name, line) } else { Series::line(name, line) };
        plot = plot.with(series.group(1));
    }
    plot.with(Series::points("maximum", [(theta[first], theta[second])]).group(0)).size(760, 560)
}

/// The line where a field on a grid of cells has a value (marching squares): pieces, with gaps between
/// them, joined where they meet.
fn contour(
    value: &dyn Fn(usize, usize) -> f64,
    level: f64,
    x: impl Fn(usize) -> f64,
    y: impl Fn(usize) -> f64,
) -> Vec<(f64, f64)> {
    let inside = |v: f64| v >= level;
    let mut pieces: Vec<[(f64, f64); 2]> = Vec::new();
    for row in 0..CELLS - 1 {
        for cell in 0..CELLS - 1 {
            let corners = [(cell, row), (cell + 1, row), (cell + 1, row + 1), (cell, row + 1)];
            let mut cuts = Vec::new();
            for side in 0..4 {
                // In one direction, so that both cells beside a side cut it at the same point.
                let (one, other) = (corners[side], corners[(side + 1) % 4]);
                let ((a, b), (c, d)) = (one.min(other), one.max(other));
                let (u, v) = (value(a, b), value(c, d));
                if inside(u) == inside(v) {
                    continue;
                }
                // Where the field falls to −∞, the cut is halfway.
                let t = (level - u) / (v - u);
                let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.5 };
                cuts.push((x(a) + t * (x(c) - x(a)), y(b) + t * (y(d) - y(b))));
            }
            // A corner at the level itself gives pieces without a length.
            let pairs = cuts.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
            pieces.extend(pairs.filter(|[from, to]| from != to));
        }
    }
    joined(pieces)
}

/// Pieces joined at their ends to lines, which gaps part.
fn joined(mut pieces: Vec<[(f64, f64); 2]>) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    while let Some([from, to]) = pieces.pop() {
        if !line.is_empty() {
            line.push((f64::NAN, f64::NAN));
        }
        let mut ahead = vec![from, to];
        let mut end = to;
        while let Some(at) = pieces.iter().position(|p| p[0] == end || p[1] == end) {
            let [a, b] = pieces.swap_remove(at);
            end = if a == end { b } else { a };
            ahead.push(end);
        }
        let mut behind = Vec::new();
        let mut end = from;
        while let Some(at) = pieces.iter().position(|p| p[0] == end || p[1] == end) {
            let [a, b] = pieces.swap_remove(at);
            end = if a == end { b } else { a };
            behind.push(end);
        }
        line.extend(behind.into_iter().rev());
        line.append(&mut ahead);
    }
    line
}

/// The likelihood of a coin as a function of the probability of heads, relative to its maximum, within six
/// standard errors.
///
/// # Errors
/// As [`coin`].
pub fn coin_likelihood(heads: u64, tosses: u64) -> Result<Plot> {
    let estimate = coin(heads, tosses)?;
    let reach = (6.0 * estimate.stderr.unwrap_or(0.0)).max(0.05);
    let (low, high) = ((estimate.value - reach).max(0.0), (estimate.value + reach).min(1.0));
    let best = coin_log_likelihood(heads, tosses, estimate.value);
    let curve = (0..=400).map(|i| {
        let theta = low + (high - low) * f64::from(i) / 400.0;
        (theta, (coin_log_likelihood(heads, tosses, theta) - best).exp())
    });
    Ok(Plot::new(
        format!("likelihood of a coin with {heads} heads in {tosses} tosses"),
        "θ, the probability of heads",
        "L(θ) / L(MLE)",
    )
    .with(Series::area("", curve))
    .vertical_marker(estimate.value, format!("MLE {:.4}", estimate.value)))
}

/// The shares of the faces of a die with their standard errors.
///
/// # Errors
/// As [`die`].
pub fn die_shares(counts: &[u64]) -> Result<Plot> {
    let (estimates, criteria) = die(counts)?;
    let at = |i: usize| i as f64;
    let shares = estimates.iter().enumerate().map(|(i, e)| (at(i), e.value));
    let errors = estimates.iter().enumerate().flat_map(|(i, e)| {
        let error = e.stderr.unwrap_or(0.0);
        [(at(i), (e.value - error).max(0.0)), (at(i), e.value + error), (f64::NAN, f64::NAN)]
    });
    Ok(Plot::new(
        format!("shares of {} categories in {} draws, ± standard error", counts.len(), criteria.n),
        "category",
        "probability",
    )
    .x_names((1..=counts.len()).map(|i| i.to_string()))
    .with(Series::bars("", shares))
    .with(Series::line("", errors).group(1))
    .horizontal_marker(1.0 / counts.len() as f64, "all equal"))
}

/// The best fits of a ranking over a histogram of the rows: of densities, or of masses.
pub fn ranked_fits(fits: &[Fit], sample: &Sample, column: &str) -> Option<Plot> {
    let first = by_name(fits.first()?.family)?;
    let discrete = first.is_discrete();
    let window = window(sample, discrete);
    let (title, what, rows) = match discrete {
        true => ("masses", "probability", "share of the rows"),
        false => ("densities", "density", "the rows"),
    };
    let histogram = bars(sample, window, discrete);
    let highest = histogram.iter().fold(0.0_f64, |most, (_, h)| most.max(*h));
    let mut plot = Plot::new(format!("{column}: the best {title} by AIC"), column, what)
        .with(Series::bars(rows, histogram).group(GRAY));
    let lowest = fits.first()?.aic;
    for (at, fit) in fits.iter().take(SHOWN).enumerate() {
        let family = by_name(fit.family)?;
        let more = fit.aic - lowest;
        let name = match at {
            0 => format!("{}, AIC {}", fit.family, short(fit.aic)),
            _ => format!("{}, + {}", fit.family, short(more)),
        };
        plot = plot.with(curve(family.as_ref(), &fit.parameters, window, &name).group(at));
    }
    Some(plot.x_range(window.0, window.1).y_range(0.0, 1.35 * highest))
}

/// Some of the rows that are not held; `None` of those that are.
fn some_of(sample: &Sample) -> Option<Sample> {
    sample.is_walked().then(|| sample.thinned(MOST_ROWS))
}

/// The plots of a ranking, each with its file name.
pub fn ranking(ranking: &Ranking, sample: &Sample, column: &str) -> Vec<(&'static str, Plot)> {
    let some = some_of(sample);
    let sample = some.as_ref().unwrap_or(sample);
    let both = [("densities.png", &ranking.densities), ("masses.png", &ranking.masses)];
    let plot =
        |(name, fits): (&'static str, &Vec<Fit>)| Some((name, ranked_fits(fits, sample, column)?));
    both.into_iter().filter_map(plot).collect()
}

/// The plots of a fit, each with its file name: density or mass, likelihood, Q–Q and P–P, the last two
/// if no row is censored; of rows that are not held some, and no likelihood, which is that of all.
pub fn fit_plots(
    family: &dyn Distribution,
    fit: &Fit,
    sample: &Sample,
    column: &str,
    confidence: f64,
) -> Vec<(&'static str, Plot)> {
    let some = some_of(sample);
    let is_held = some.is_none();
    let sample = some.as_ref().unwrap_or(sample);
    let mut plots = vec![("density.png", fitted_density(family, fit, sample, column))];
    if sample.intervals().is_empty() {
        plots.push(("qq.png", quantile_plot(family, fit, sample, column)));
        plots.push(("pp.png", probability_plot(family, fit, sample, column)));
    }
    let likelihood = || likelihood_plot(family, fit, sample, column, confidence);
    let likelihood = is_held.then(likelihood).flatten();
    plots.extend(likelihood.map(|plot| ("likelihood.png", plot)));
    plots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::families::normal::Normal;

    #[test]
    fn contours_are_closed_lines_at_their_level() {
        let field = |cell: usize, row: usize| {
            let (x, y) = (cell as f64 - 40.0, row as f64 - 38.0);
            -(x * x + 2.0 * y * y)
        };
        let line = contour(&field, -100.0, |at| at as f64 - 40.0, |at| at as f64 - 38.0);
        assert!(line.len() > 40 && line.iter().all(|(x, _)| x.is_finite()), "one line");
        for (x, y) in &line {
            assert!((x * x + 2.0 * y * y - 100.0).abs() < 2.0, "{x} {y}");
        }
        assert!((line[0].0 - line[line.len() - 1].0).abs() < 1e-6, "it is closed");
    }

    #[test]
    fn histograms_are_densities_and_shares() {
        let sample = Sample::new((0..1000).map(|i| f64::from(i) / 100.0).collect()).unwrap();
        let bars = bars(&sample, (0.0, 10.0), false);
        let width = bars[1].0 - bars[0].0;
        let area: f64 = bars.iter().map(|(_, h)| h * width).sum();
        assert!((area - 1.0).abs() < 1e-9, "{area}");
        let counts = Sample::weighted(&[0.0, 2.0], &[3.0, 1.0]).unwrap();
        assert_eq!(super::bars(&counts, (-0.6, 2.6), true), [(0.0, 0.75), (2.0, 0.25)]);
        assert!((chi_squared_quantile(1.0, 0.95) - 3.841_458_820_694).abs() < 1e-9);
    }

    #[test]
    fn a_fit_has_its_plots() {
        let sample = Sample::new((1..200).map(|i| (f64::from(i) * 0.37).sin()).collect()).unwrap();
        let family: &dyn Distribution = &Normal;
        let fit = family.fit(&sample, &FitOptions::default()).unwrap();
        let plots = fit_plots(family, &fit, &sample, "x", 0.95);
        let names: Vec<&str> = plots.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["density.png", "qq.png", "pp.png", "likelihood.png"]);
        for (_, plot) in &plots {
            plot.to_svg().unwrap();
        }
        assert!(short(0.123_456) == "0.1235" && short(-12.0) == "−12" && short(2e-9) == "2.000e−9");
    }
}
