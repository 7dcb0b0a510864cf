//! Mixtures: expectation–maximization (Dempster, Laird and Rubin 1977) from several starts by k-means++
//! (Arthur and Vassilvitskii 2007), of which the one of the highest likelihood goes on.

use ancestral_data::Examples;

use super::fitted::open_uniform;
use crate::model::FitContext;
use crate::{Error, Result};

/// Rows from which starts are chosen.
const FEW: usize = 10_000;
/// Steps of each start, before the best goes on.
const FIRST_STEPS: usize = 20;

/// How a mixture is fitted.
pub(super) struct Em {
    /// The name of the model.
    pub(super) model: &'static str,
    pub(super) components: usize,
    pub(super) starts: usize,
    pub(super) max_iterations: usize,
    /// The rise of the mean log-likelihood below which it has converged, in nats per example.
    pub(super) tolerance: f64,
}

/// What is particular to the components of a mixture.
pub(super) trait Mixture {
    /// The parameters of all components.
    type Parameters;
    /// Sums over rows, weighted by the probabilities of components.
    type Sums;

    /// One pass over the rows: the sums of a step at some parameters, and the mean log-likelihood there.
    fn pass(
        &self,
        examples: &Examples,
        at: &Self::Parameters,
        context: &FitContext<'_>,
    ) -> Result<(Self::Sums, f64)>;

    /// The parameters of the next step.
    fn step(&self, at: &Self::Parameters, sums: &Self::Sums) -> Result<Self::Parameters>;

    /// The squared distance of two rows, for starts.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64;

    /// Components around these rows.
    fn start(&self, rows: &[&[f64]]) -> Self::Parameters;
}

/// Where expectation–maximization ended.
pub(super) struct Climbed<P> {
    pub(super) parameters: P,
    /// The mean log-likelihood before each step.
    pub(super) trace: Vec<f64>,
    pub(super) converged: bool,
}

impl<P> Climbed<P> {
    /// What is to be said of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "a mixture has no standard errors here: its components can be exchanged".to_owned(),
        ];
        if !self.converged {
            notes.push("EM did not converge; raise max_iterations".to_owned());
        }
        notes
    }
}

impl Em {
    /// The best of several starts, climbed to the end.
    pub(super) fn fit<M: Mixture>(
        &self,
        mixture: &M,
        examples: &Examples,
        columns: usize,
        context: &mut FitContext<'_>,
    ) -> Result<Climbed<M::Parameters>> {
        let stride = examples.len().div_ceil(FEW);
        let some: Vec<u64> = (0..examples.len() as u64).step_by(stride).collect();
        let values = examples.batch(&some, 0).values;
        let rows: Vec<&[f64]> = values.chunks_exact(columns).collect();
        let purpose = context.streams.purpose("mixture start", 0);
        let most = self.max_iterations;
        let mut best: Option<Climbed<M::Parameters>> = None;
        for number in 0..self.starts.max(1) {
            let mut rng = purpose.item(number as u64);
            let chosen = self.plus_plus(mixture, &rows, &mut || open_uniform(&mut rng));
            let start = mixture.start(&chosen);
            let found = self.climb(mixture, examples, start, FIRST_STEPS.min(most), context)?;
            if best.as_ref().is_none_or(|best| found.trace.last() > best.trace.last()) {
                best = Some(found);
            }
            (context.progress)(0.5 * (number + 1) as f64 / self.starts as f64);
        }
        match best {
            Some(found) if !found.converged => {
                let rest = most.saturating_sub(found.trace.len()).max(1);
                let next = self.climb(mixture, examples, found.parameters, rest, context)?;
                Ok(Climbed { trace: [found.trace, next.trace].concat(), ..next })
            }
            Some(found) => Ok(found),
            None => Err(Error::setting("starts", self.starts, "give at least 1")),
        }
    }

    /// An error if there are fewer rows than components.
    pub(super) fn check(&self, examples: &Examples) -> Result<()> {
        let (rows, components) = (examples.len(), self.components);
        if rows >= components {
            return Ok(());
        }
        let problem = format!("{rows} rows are fewer than {components} components");
        Err(Error::UnsuitableData { model: self.model.to_owned(), problem })
    }

    /// Rows far from each other: each is drawn by its squared distance to the nearest one before it.
    fn plus_plus<'a>(
        &self,
        mixture: &impl Mixture,
        rows: &[&'a [f64]],
        uniform: &mut dyn FnMut() -> f64,
    ) -> Vec<&'a [f64]> {
        let any = |u: f64| ((u * rows.len() as f64) as usize).min(rows.len() - 1);
        let mut chosen = vec![rows[any(uniform())]];
        let mut nearest = vec![f64::INFINITY; rows.len()];
        while chosen.len() < self.components {
            let last = chosen[chosen.len() - 1];
            for (row, nearest) in rows.iter().zip(&mut nearest) {
                *nearest = nearest.min(mixture.distance(row, last));
            }
            let goal = uniform() * nearest.iter().sum::<f64>();
            let mut sum = 0.0;
            let next = nearest.iter().position(|d| {
                sum += d;
                sum > goal
            });
            // If all rows are chosen; the number is drawn either way.
            let other = any(uniform());
            chosen.push(rows[next.unwrap_or(other)]);
        }
        chosen
    }

    /// Some steps.
    pub(super) fn climb<M: Mixture>(
        &self,
        mixture: &M,
        examples: &Examples,
        from: M::Parameters,
        steps: usize,
        context: &FitContext<'_>,
    ) -> Result<Climbed<M::Parameters>> {
        let mut found = Climbed { parameters: from, trace: Vec::new(), converged: false };
        for _ in 0..steps {
            let (sums, mean) = mixture.pass(examples, &found.parameters, context)?;
            let rise = found.trace.last().map_or(f64::INFINITY, |last| mean - last);
            found.trace.push(mean);
            // Below this, rounding alone moves it.
            if rise.abs() <= self.tolerance.max(1e-14 * mean.abs().max(1.0)) {
                found.converged = true;
                break;
            }
            found.parameters = mixture.step(&found.parameters, &sums)?;
        }
        Ok(found)
    }
}

/// A component drawn by a uniform number, with probabilities proportional to the weights.
pub(super) fn drawn(weights: &[f64], uniform: f64) -> usize {
    let mut goal = uniform * weights.iter().sum::<f64>();
    let found = weights.iter().position(|weight| {
        goal -= weight;
        goal < 0.0
    });
    found.unwrap_or(weights.len() - 1)
}
