//! The results as text, numbers and a plot.

use ancestral_plot::{Plot, Series};
use serde_json::json;

use super::experiment::{Comparison, optimal_discriminator};
use crate::Result;
use crate::explain::spec::{ExplainSpec, Explanation};
use crate::explain::work::stoppable;
use crate::run::Session;

/// Training steps of the discriminator.
const STEPS: u64 = 2000;

/// Compares a trained discriminator with p / (p + q), and its objective with the Jensen-Shannon
/// divergence.
pub(in crate::explain) fn explain(
    session: &mut Session<'_>,
    spec: &ExplainSpec,
) -> Result<Explanation> {
    spec.make_folder()?;
    let device = session.device().clone();
    let found = stoppable(session, "training the discriminator", |progress| {
        optimal_discriminator(STEPS, spec.seed(), &device, progress)
    })?;
    plot(&found).save(spec.out.join("discriminator.png"))?;
    let gap = found.optimum - found.value;
    let lines = vec![
        format!(
            "A discriminator was trained on draws of p and q for {STEPS} steps and approached p / (p + q)"
        ),
        format!(
            "within {:.4} on average over (p + q) / 2, and within {:.3} wherever that density is",
            found.mean, found.largest
        ),
        "above 1 % of its largest value (discriminator.png).".to_owned(),
        format!(
            "Its objective E_p log D + E_q log(1 − D) is {:.4} nats; its maximum is",
            found.value
        ),
        format!(
            "−log 4 + 2 JSD(p ‖ q) = {:.4} + 2 · {:.4} = {:.4}, which is {gap:.4} more.",
            -(4f64.ln()),
            found.jsd,
            found.optimum
        ),
        "So a generator against the optimal D minimizes the Jensen-Shannon divergence, which is 0 \
         only if q = p."
            .to_owned(),
    ];
    let metrics = json!({ "mean": found.mean, "largest": found.largest, "value": found.value,
        "jsd": found.jsd, "optimum": found.optimum });
    Ok(spec.found(lines, metrics, &["discriminator.png"]))
}

/// The two densities, the formula and the trained discriminator.
fn plot(found: &Comparison) -> Plot {
    let shown = || found.places.iter().filter(|d| d.x.abs() < 6.0);
    Plot::new("the optimal discriminator is p / (p + q)", "x", "density, or probability of data")
        .with(Series::area("p, the data", shown().map(|d| (d.x, d.p))).group(5))
        .with(Series::area("q, the samples", shown().map(|d| (d.x, d.q))).group(4))
        .with(Series::line("p / (p + q)", shown().map(|d| (d.x, d.formula))).group(6))
        .with(Series::dashed("D(x), trained", shown().map(|d| (d.x, d.trained))).group(1))
        .y_range(0.0, 1.05)
}
