//! The penalized likelihood of a logistic regression, and its maximization.

use std::sync::atomic::AtomicBool;

use ancestral_data::{Batch, Examples};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};

use super::design::{Design, Moments, Standard, unsuitable};
use crate::distributions::families::rows::vectorized as compiled;
use crate::model::{Estimate, FitContext, block_sums, product};
use crate::optim::minimize::{
    Cholesky, Evaluation, Limits, Minimum, dot, largest, lbfgs, modified_cholesky, newton,
};
use crate::special::vectorized;
use crate::{Error, Result};

/// The largest number of parameters for Newton's method, whose memory is quadratic in it.
pub const NEWTON_AT_MOST: usize = 1000;
/// The largest number of parameters per class for which the Gram matrix is computed, to find linear
/// combinations and to precondition L-BFGS.
const GRAM_AT_MOST: usize = 2000;
/// Parameter vectors that L-BFGS holds: its pairs, and those of a line search.
const COPIES: usize = 30;
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 12;
/// Examples that are processed together.
pub(super) const ROWS: usize = 256;
/// The gradient at which Newton's method takes over from L-BFGS, whose iterations need no Hessian: its
/// first step then leaves an error of about the square of this.
const NEAR: f64 = 1e-4;
/// Iterations of L-BFGS before Newton's method at most: separated classes have no end of them.
const APPROACH: usize = 20;
/// The fraction of a column's variance that is not explained by the columns before it, below which
/// it counts as a linear combination of them: single precision, in which data is held, leaves 10⁻¹⁵.
const ALIASED: f64 = 1e-10;
/// The least margin, in nats, at which examples count as separated.
const MARGIN: f64 = 1e-6;
/// The fraction of a direction's largest change by which it may lower a margin and still count as a
/// direction of separation.
const AGAINST: f64 = 1e-6;

/// The ridge penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Penalty {
    /// λ, in nats.
    pub(super) strength: f64,
    /// Whether it is on the weights of standardized terms.
    pub(super) standardized: bool,
}

/// The memory of a fit, in doubles.
pub(super) struct Needs {
    /// The sums of a block.
    pub(super) block: u64,
    /// The rest.
    pub(super) once: u64,
}

/// The memory of a fit with so many terms and classes.
pub(super) fn needs(terms: usize, classes: usize) -> Needs {
    let width = terms.saturating_add(1);
    let all = product(&[width, classes]);
    let free = product(&[width, classes - 1]);
    let squared = |side: usize, most: usize| if side <= most { product(&[side, side]) } else { 0 };
    let (gram, hessian) = (squared(width, GRAM_AT_MOST), squared(free, NEWTON_AT_MOST));
    // Sums so far, the Hessian, a copy with a raised diagonal and its factor; each term with its
    // mean and scale.
    let squares = product(&[gram.max(hessian), 4]);
    let estimates = product(&[free, ESTIMATE]);
    let numbers = [product(&[all, COPIES]), squares, estimates, product(&[width, 10])];
    let once = numbers.into_iter().fold(0, |sum: u64, n| sum.saturating_add(n as u64));
    Needs { block: all.max(gram).max(hessian) as u64, once }
}

/// The objective as a function of `[classes, width]` parameters: for each class with training
/// examples its bias and the weights of its standardized terms.
pub(super) struct Problem<'a> {
    design: &'a Design,
    examples: &'a Examples,
    moments: &'a Moments,
    penalty: Penalty,
    scale: Vec<f64>,
    /// The terms that have weights.
    pub(super) chosen: Vec<usize>,
    standard: Standard,
    /// Parameters of a class: its bias and those weights.
    pub(super) width: usize,
    /// The number of each class among those with training examples.
    pub(super) rows: Vec<Option<usize>>,
    /// How many these are.
    classes: usize,
    /// The penalty on each parameter of a class, per example.
    ridge: Vec<f64>,
    /// The mean of z zᵀ over the examples `[width, width]`, the lower half, of their rows z; empty
    /// if these are too long.
    gram: Vec<f64>,
}

/// The sums of a pass over the examples.
struct Sums {
    /// −log p(class | example), in nats.
    nll: f64,
    /// `[classes, width]`.
    gradient: Vec<f64>,
    /// Of the classes after the reference, `[(classes − 1) · width]²`, the lower half; or empty.
    hessian: Vec<f64>,
    /// The smallest margin: the score of an example's class minus the largest other score.
    margin: f64,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        design: &'a Design,
        examples: &'a Examples,
        moments: &'a Moments,
        penalty: Penalty,
        chosen: Vec<usize>,
    ) -> Self {
        let scale = moments.deviations();
        let mut present = 0..;
        let rows: Vec<Option<usize>> =
            moments.classes.iter().map(|&n| if n > 0 { present.next() } else { None }).collect();
        let of = |&t: &usize| {
            let unit: f64 = if penalty.standardized { 1.0 } else { scale[t] };
            penalty.strength / (unit * unit * moments.of.examples)
        };
        Self {
            standard: Standard::new(design, &chosen, &moments.of.mean, &scale),
            gram: Vec::new(),
            ridge: std::iter::once(0.0).chain(chosen.iter().map(of)).collect(),
            width: chosen.len() + 1,
            classes: rows.iter().flatten().count(),
            design,
            examples,
            moments,
            penalty,
            scale,
            chosen,
            rows,
        }
    }

    /// The number of free parameters: those of all classes but the reference.
    fn free(&self) -> usize {
        (self.classes - 1) * self.width
    }

    fn is_small(&self) -> bool {
        self.free() <= NEWTON_AT_MOST
    }

    /// Parameters of all classes from those of all but the reference, which has zeros.
    fn all(&self, free: &[f64]) -> Vec<f64> {
        [&vec![0.0; self.width], free].concat()
    }

    /// Reads a block in parts of up to [`ROWS`] examples: for each example its class (numbered among
    /// those with training examples) and its row `[width]`, a 1 for the bias and the standardized
    /// terms.
    fn parts(&self, block: &Batch, mut read: impl FnMut(&[usize], &[f64])) {
        let (size, width) = (self.design.data.size(), self.width);
        let mut z = vec![1.0; ROWS * width];
        let labels = block.labels.as_deref().unwrap_or(&[]);
        for (labels, examples) in labels.chunks(ROWS).zip(block.values.chunks(ROWS * size)) {
            let of = |&label: &u32| self.rows[label as usize].unwrap_or(0);
            let labels: Vec<usize> = labels.iter().map(of).collect();
            for (example, z) in examples.chunks_exact(size).zip(z.chunks_exact_mut(width)) {
                self.standard.apply(example, &mut z[1..]);
            }
            read(&labels, &z[..labels.len() * width]);
        }
    }

    /// The scores `[examples, classes]` of rows.
    fn scores(&self, parameters: &[f64], z: &[f64], scores: &mut [f64]) {
        let (n, width, classes) = (z.len() / self.width, self.width, self.classes);
        let weights = MatRef::from_row_major_slice(parameters, classes, width);
        let z = MatRef::from_row_major_slice(z, n, width);
        let scores = MatMut::from_row_major_slice_mut(&mut scores[..n * classes], n, classes);
        matmul(scores, Accum::Replace, z, weights.transpose(), 1.0, Par::Seq);
    }

    /// The sums at parameters of all classes, with the Hessian or without.
    fn pass(&self, parameters: &[f64], curved: bool, stop: &AtomicBool) -> Result<Sums> {
        let side = if curved { self.free() } else { 0 };
        let empty = || Sums {
            nll: 0.0,
            gradient: vec![0.0; parameters.len()],
            hessian: vec![0.0; side * side],
            margin: f64::INFINITY,
        };
        let add = |block: &Batch, sums: &mut Sums| {
            let (width, classes) = (self.width, self.classes);
            let mut p = vec![0.0; ROWS * classes];
            let mut residuals = vec![0.0; ROWS * classes];
            let mut rest = vec![0.0; ROWS];
            self.parts(block, |labels, z| {
                let n = labels.len();
                let (p, residuals) = (&mut p[..n * classes], &mut residuals[..n * classes]);
                self.scores(parameters, z, p);
                let (nll, margin) =
                    compiled(Softmax { scores: p, labels, residuals, rest: &mut rest });
                sums.nll += nll;
                sums.margin = sums.margin.min(margin);
                matmul(
                    MatMut::from_row_major_slice_mut(&mut sums.gradient, classes, width),
                    Accum::Add,
                    MatRef::from_row_major_slice(residuals, n, classes).transpose(),
                    MatRef::from_row_major_slice(z, n, width),
                    1.0,
                    Par::Seq,
                );
                if curved {
                    self.add_hessian(z, p, &mut sums.hessian);
                }
            });
            Ok(())
        };
        let merge = |sums: &mut Sums, later: Sums| {
            sums.nll += later.nll;
            sums.margin = sums.margin.min(later.margin);
            sums.gradient.iter_mut().zip(later.gradient).for_each(|(g, x)| *g += x);
            sums.hessian.iter_mut().zip(later.hessian).for_each(|(h, x)| *h += x);
        };
        block_sums(self.examples, stop, &mut |_| {}, empty, add, merge)
    }

    /// Adds the lower halves of the blocks of the Hessian of rows with these probabilities,
    /// Σ p_k (δ_kl − p_l) z zᵀ.
    fn add_hessian(&self, z: &[f64], p: &[f64], hessian: &mut [f64]) {
        let (n, width, side) = (z.len() / self.width, self.width, self.free());
        let mut weighted = vec![0.0; z.len()];
        for k in 1..self.classes {
            for l in 1..=k {
                let rows = weighted.chunks_exact_mut(width).zip(z.chunks_exact(width));
                for ((weighted, z), p) in rows.zip(p.chunks_exact(self.classes)) {
                    let weight = if k == l { p[k] * (1.0 - p[k]) } else { -p[k] * p[l] };
                    weighted.iter_mut().zip(z).for_each(|(w, z)| *w = weight * z);
                }
                let hessian = MatMut::from_row_major_slice_mut(hessian, side, side);
                add_products(
                    hessian.submatrix_mut((k - 1) * width, (l - 1) * width, width, width),
                    MatRef::from_row_major_slice(&weighted, n, width),
                    MatRef::from_row_major_slice(z, n, width),
                );
            }
        }
    }

    /// Fills the upper halves of the blocks below the diagonal, which are symmetric.
    fn mirror_blocks(&self, hessian: &mut [f64]) {
        let (width, side) = (self.width, self.free());
        for k in 1..self.classes - 1 {
            for l in 0..k {
                for i in 0..width {
                    for j in 0..i {
                        hessian[(k * width + j) * side + l * width + i] =
                            hessian[(k * width + i) * side + l * width + j];
                    }
                }
            }
        }
    }

    /// The objective per example at parameters of all classes; its Hessian covers the classes after the
    /// reference.
    pub(super) fn objective(
        &self,
        parameters: &[f64],
        curved: bool,
        stop: &AtomicBool,
    ) -> Result<Evaluation> {
        let mut sums = self.pass(parameters, curved, stop)?;
        if self.penalty.strength == 0.0 && sums.margin > MARGIN {
            return Err(self.separated("the classes of all training examples apart", parameters));
        }
        let n = self.moments.of.examples;
        if curved {
            self.mirror_blocks(&mut sums.hessian);
        }
        let mut value = sums.nll / n;
        sums.gradient.iter_mut().for_each(|g| *g /= n);
        sums.hessian.iter_mut().for_each(|h| *h /= n);
        let (width, classes) = (self.width, self.classes as f64);
        for j in 1..width {
            let of_class = || parameters.iter().skip(j).step_by(width);
            let mean = of_class().sum::<f64>() / classes;
            value += 0.5 * self.ridge[j] * of_class().map(|w| (w - mean).powi(2)).sum::<f64>();
            for (g, w) in sums.gradient.iter_mut().skip(j).step_by(width).zip(of_class()) {
                *g += self.ridge[j] * (w - mean);
            }
            if curved {
                for k in 0..self.classes - 1 {
                    for l in 0..=k {
                        let own = if k == l { 1.0 } else { 0.0 };
                        sums.hessian[(k * width + j) * self.free() + l * width + j] +=
                            self.ridge[j] * (own - 1.0 / classes);
                    }
                }
            }
        }
        Ok(Evaluation { value, gradient: sums.gradient, hessian: sums.hessian })
    }

    /// The error of separated classes: the likelihood grows in this direction without end.
    fn separated(&self, how: &str, direction: &[f64]) -> Error {
        let size = |j: usize| {
            direction.iter().skip(j).step_by(self.width).fold(0.0, |most: f64, d| most.max(d.abs()))
        };
        let most = (1..self.width).max_by(|&a, &b| size(a).total_cmp(&size(b)));
        let of = match most {
            Some(j) => {
                format!(", most of all that of {}", self.design.name(self.chosen[j - 1]))
            }
            None => String::new(),
        };
        unsuitable(format!(
            "the classes are separated: a linear function of the columns tells {how}, so that the \
             likelihood has no maximum and weights grow without end{of}; set penalty above 0, as \
             in penalty = 1, or leave columns out"
        ))
    }

    /// The same with the Gram matrix of the columns, unless it is too large.
    pub(super) fn with_products(mut self, stop: &AtomicBool) -> Result<Self> {
        let width = self.width;
        if width > GRAM_AT_MOST {
            return Ok(self);
        }
        let empty = || vec![0.0; width * width];
        let add = |block: &Batch, sums: &mut Vec<f64>| {
            self.parts(block, |labels, z| {
                let z = MatRef::from_row_major_slice(z, labels.len(), width);
                let sums = MatMut::from_row_major_slice_mut(sums, width, width);
                add_products(sums, z, z);
            });
            Ok(())
        };
        let merge = |sums: &mut Vec<f64>, later: Vec<f64>| {
            sums.iter_mut().zip(later).for_each(|(sum, x)| *sum += x);
        };
        let mut sums = block_sums(self.examples, stop, &mut |_| {}, empty, add, merge)?;
        sums.iter_mut().for_each(|sum| *sum /= self.moments.of.examples);
        self.gram = sums;
        Ok(self)
    }

    /// Terms that are linear combinations of those before them (and of the bias), by the Gram matrix.
    pub(super) fn aliased(&self) -> Vec<usize> {
        if self.gram.is_empty() {
            return Vec::new();
        }
        let mut lower: Vec<Vec<f64>> = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        let mut found = Vec::new();
        for i in 0..self.width {
            let products = &self.gram[i * self.width..];
            let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
            for (other, &j) in lower.iter().zip(&kept) {
                let inner = dot(&row, other);
                row.push((products[j] - inner) / other[row.len()]);
            }
            let rest = products[i] - dot(&row, &row);
            if rest > ALIASED * products[i] {
                row.push(rest.sqrt());
                lower.push(row);
                kept.push(i);
            } else {
                found.push(self.chosen[i - 1]);
            }
        }
        found
    }

    /// The minimum of the objective, with zeros for the reference class.
    pub(super) fn minimize(&self, limits: Limits, context: &mut FitContext<'_>) -> Result<Minimum> {
        // Progress: how far the logarithm of the gradient's norm has fallen.
        let (mut start, mut done) = (None, 0.0f64);
        let progress = &mut context.progress;
        let mut tell = |gradient: &[f64]| {
            let now = largest(gradient).max(limits.tolerance);
            let start = *start.get_or_insert(now);
            let share = (start / now).ln() / (start / limits.tolerance).ln();
            done = done.max(if share.is_finite() { share } else { 1.0 });
            progress(done);
        };
        if self.is_small() {
            self.by_newton(limits, context.stop, &mut tell)
        } else {
            self.by_lbfgs(limits, context.stop, &mut tell)
        }
    }

    /// By Newton's method, from near the minimum where the Gram matrix is at hand.
    pub(super) fn by_newton(
        &self,
        limits: Limits,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&[f64]),
    ) -> Result<Minimum> {
        let (mut start, mut trace) = (vec![0.0; self.free()], Vec::new());
        if !self.gram.is_empty() {
            let near = Limits {
                tolerance: limits.tolerance.max(NEAR),
                iterations: limits.iterations.min(APPROACH),
            };
            let found = self.by_lbfgs(near, stop, tell)?;
            (start, trace) = (found.at[self.width..].to_vec(), found.trace);
        }
        let limits = Limits { iterations: limits.iterations - trace.len(), ..limits };
        let mut evaluate = |free: &[f64]| {
            let found = self.objective(&self.all(free), true, stop)?;
            tell(&found.gradient);
            Ok(Evaluation { gradient: found.gradient[self.width..].to_vec(), ..found })
        };
        let mut flat = |step: &[f64]| {
            let step = self.all(step);
            if self.penalty.strength == 0.0 && self.separates(&step, stop)? {
                let how = "some training examples apart from other classes and is wrong of none";
                return Err(self.separated(how, &step));
            }
            Ok(())
        };
        let found = newton(start, limits, &mut evaluate, &mut flat)?;
        trace.extend(found.trace);
        Ok(Minimum { at: self.all(&found.at), trace, ..found })
    }

    pub(super) fn by_lbfgs(
        &self,
        limits: Limits,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&[f64]),
    ) -> Result<Minimum> {
        // The Hessian of a class at uniform probabilities.
        let factor = (!self.gram.is_empty()).then(|| {
            let share = 1.0 / self.classes as f64;
            let mut curvature: Vec<f64> = self.gram.iter().map(|x| share * x).collect();
            for (i, ridge) in self.ridge.iter().enumerate() {
                curvature[i * self.width + i] += ridge;
            }
            modified_cholesky(&curvature, self.width)
        });
        let precondition = factor.as_ref().map(|factor| {
            |x: &mut [f64]| {
                for x in x.chunks_exact_mut(self.width) {
                    x.copy_from_slice(&factor.solve(x));
                }
            }
        });
        let precondition = precondition.as_ref().map(|by| by as &dyn Fn(&mut [f64]));
        // Over the parameters of all classes, which is better conditioned than with a reference class.
        let start = vec![0.0; self.classes * self.width];
        let mut found = lbfgs(start, limits, precondition, &mut |parameters| {
            let found = self.objective(parameters, false, stop)?;
            tell(&found.gradient);
            Ok(found)
        })?;
        let reference = found.at[..self.width].to_vec();
        for of_class in found.at.chunks_exact_mut(self.width) {
            of_class.iter_mut().zip(&reference).for_each(|(w, r)| *w -= r);
        }
        Ok(found)
    }

    /// Whether a direction separates classes: no margin of an example falls along it, and some rise.
    fn separates(&self, direction: &[f64], stop: &AtomicBool) -> Result<bool> {
        let empty = || (f64::INFINITY, 0.0f64);
        let add = |block: &Batch, (least, most): &mut (f64, f64)| {
            let mut scores = vec![0.0; ROWS * self.classes];
            self.parts(block, |labels, z| {
                self.scores(direction, z, &mut scores);
                for (scores, &label) in scores.chunks_exact(self.classes).zip(labels) {
                    for gain in scores.iter().map(|score| scores[label] - score) {
                        (*least, *most) = (least.min(gain), most.max(gain));
                    }
                }
            });
            Ok(())
        };
        let merge = |(least, most): &mut (f64, f64), later: (f64, f64)| {
            (*least, *most) = (least.min(later.0), most.max(later.1));
        };
        let (least, most) = block_sums(self.examples, stop, &mut |_| {}, empty, add, merge)?;
        Ok(most > 0.0 && least >= -AGAINST * most)
    }

    /// The Cholesky factor of the observed information per example; `None` if it is singular.
    pub(super) fn information(
        &self,
        minimum: &Minimum,
        notes: &mut Vec<String>,
    ) -> Option<Cholesky> {
        if !self.is_small() {
            notes.push(format!(
                "no standard errors: they take the inverse of a matrix of {} parameters, and are \
                 given for {NEWTON_AT_MOST} at most",
                self.free()
            ));
            return None;
        }
        let factor = Cholesky::new(&minimum.hessian, self.free())
            .filter(|factor| factor.least_share(&minimum.hessian) > ALIASED);
        if factor.is_none() {
            let why = "no standard errors: the observed information is singular to rounding";
            notes.push(why.to_owned());
        }
        factor
    }

    /// Biases, then weights, in the units of the data.
    pub(super) fn estimates(
        &self,
        parameters: &[f64],
        information: Option<&Cholesky>,
    ) -> Vec<Estimate> {
        let width = self.width;
        let error = |direction: &[f64]| {
            let half = information?.forward(direction);
            Some((dot(&half, &half) / self.moments.of.examples).sqrt())
        };
        let classes = || {
            let rows = self.rows.iter().enumerate();
            rows.filter_map(|(class, row)| Some((class, (*row)?))).filter(|&(_, row)| row > 0)
        };
        let biases = classes().map(|(class, row)| {
            // b − Σ w mean / scale.
            let mut direction = vec![0.0; self.free()];
            let own = &mut direction[(row - 1) * width..][..width];
            own[0] = 1.0;
            for (&t, d) in self.chosen.iter().zip(&mut own[1..]) {
                *d = -self.moments.of.mean[t] / self.scale[t];
            }
            let value = dot(own, &parameters[row * width..][..width]);
            let name = format!("bias[{}]", self.design.data.class_name(class));
            Estimate { name, value, stderr: error(&direction) }
        });
        let weights = classes().flat_map(|(class, row)| {
            (0..self.design.terms.len()).map(move |t| {
                let class = self.design.data.class_name(class);
                let name = format!("weight[{class}, {}]", self.design.name(t));
                let Ok(at) = self.chosen.binary_search(&t) else {
                    return Estimate { name, value: 0.0, stderr: None };
                };
                let mut direction = vec![0.0; if information.is_some() { self.free() } else { 0 }];
                if let Some(d) = direction.get_mut((row - 1) * width + at + 1) {
                    *d = 1.0 / self.scale[t];
                }
                let value = parameters[row * width + at + 1] / self.scale[t];
                Estimate { name, value, stderr: error(&direction) }
            })
        });
        biases.chain(weights).collect()
    }
}

/// Adds the lower half of Aᵀ B, which is symmetric.
fn add_products(sums: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let whole = BlockStructure::Rectangular;
    let half = BlockStructure::TriangularLower;
    triangular::matmul(sums, half, Accum::Add, a.transpose(), whole, b, whole, 1.0, Par::Seq);
}

/// Turns the scores `[rows, classes]` of examples into probabilities (softmax) and `residuals` into
/// probability minus indicator of the label; returns Σ −log p(label) and the smallest margin.
///
/// `rest` has a place for each row.
#[inline(always)]
fn softmax_residuals(
    scores: &mut [f64],
    labels: &[usize],
    residuals: &mut [f64],
    rest: &mut [f64],
) -> (f64, f64) {
    let classes = scores.len() / labels.len().max(1);
    let (mut nll, mut least) = (0.0, f64::INFINITY);
    for (scores, &label) in scores.chunks_exact_mut(classes).zip(labels) {
        let (mut most, mut rival) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (k, &score) in scores.iter().enumerate() {
            most = if score > most { score } else { most };
            rival = if k != label && score > rival { score } else { rival };
        }
        let own = scores[label];
        least = f64::min(least, own - rival);
        nll += most - own;
        scores.iter_mut().for_each(|score| *score -= most);
    }
    scores.iter_mut().for_each(|score| *score = vectorized::exp(*score));
    let rows = scores.chunks_exact_mut(classes).zip(residuals.chunks_exact_mut(classes));
    for (((scores, residuals), &label), rest) in rows.zip(labels).zip(rest.iter_mut()) {
        // The sums of the terms other than the largest, which is 1, and other than the label's, to keep
        // full precision where they are small.
        let (mut others, mut of_rivals, mut is_left) = (0.0, 0.0, true);
        for (k, &x) in scores.iter().enumerate() {
            let is_top = is_left && x == 1.0;
            is_left &= !is_top;
            others += if is_top { 0.0 } else { x };
            of_rivals += if k == label { 0.0 } else { x };
        }
        let share = 1.0 / (1.0 + others);
        scores.iter_mut().for_each(|e| *e *= share);
        residuals.copy_from_slice(scores);
        residuals[label] = -of_rivals * share;
        *rest = others;
    }
    let rest = &mut rest[..labels.len()];
    rest.iter_mut().for_each(|rest| *rest = vectorized::ln_1p(*rest).0);
    nll += rest.iter().sum::<f64>();
    (nll, least)
}

/// [`softmax_residuals`], compiled for the vector instructions of the machine.
struct Softmax<'a> {
    scores: &'a mut [f64],
    labels: &'a [usize],
    residuals: &'a mut [f64],
    rest: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Softmax<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn call(self) -> Self::Output {
        softmax_residuals(self.scores, self.labels, self.residuals, self.rest)
    }
}
