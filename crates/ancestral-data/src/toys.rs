//! Synthetic toy data: in two dimensions, for first experiments with adversarial networks, and color
//! images.
//!
//! | name | what it is | its source |
//! |---|---|---|
//! | `rings:K` | K Gaussians evenly on a circle of radius 2, standard deviation 0.02 | Metz et al. 2017 (arXiv:1611.02163), with K = 8 |
//! | `grid:N` | N Gaussians at the points of a square lattice, spacing 2, standard deviation 0.05 | Srivastava et al. 2017 (arXiv:1705.07761) and Lin et al. 2018 (arXiv:1712.04086), with N = 25 |
//! | `swiss-roll` | a spiral of one turn and a half, as Gulrajani et al. scale it | Gulrajani et al. 2017 (arXiv:1704.00028), figure 2 |
//! | `moons` | two interleaving half circles, with noise of standard deviation 0.05 | scikit-learn's `make_moons` |
//! | `discs` | color images of a disc, whose channels depend on each other | `discs.rs` |
//!
//! The examples are the same in every run and on every machine: each is drawn from the stream of
//! its own number, whatever the run's seed.

use std::f64::consts::{PI, TAU};

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::{DataError, Dataset, Domain, Shape, Split, Streams, Values};

/// Examples of the training, validation and test split, in two dimensions.
const COUNTS: [usize; 3] = [10_000, 2_000, 2_000];
/// The seed of all toy data.
const SEED: u64 = 0;

const RING_RADIUS: f64 = 2.0;
const RING_STD: f64 = 0.02;
const RING_MOST: usize = 1_000;
const GRID_SPACING: f64 = 2.0;
const GRID_STD: f64 = 0.05;
const GRID_MOST: usize = 10_000;
/// Noise of the spiral before it is scaled, and what it is divided by.
const ROLL_NOISE: f64 = 0.25;
const ROLL_SCALE: f64 = 7.5;
const MOON_NOISE: f64 = 0.05;

/// The toy sets as listed and suggested, with descriptions.
pub(crate) const TOYS: [(&str, &str); 5] = [
    (
        "rings:8",
        "8 Gaussians on a circle of radius 2, standard deviation 0.02, synthetic; any number K as \
         rings:K; 10000 / 2000 / 2000",
    ),
    (
        "grid:25",
        "25 Gaussians on a square lattice, spacing 2, standard deviation 0.05, synthetic; any square \
         N as grid:N; 10000 / 2000 / 2000",
    ),
    ("swiss-roll", "a two-dimensional spiral with noise, synthetic; 10000 / 2000 / 2000"),
    ("moons", "two interleaving half circles with noise, synthetic; 10000 / 2000 / 2000"),
    (
        "discs",
        "color images of a disc, 12×12, 12 levels, channels that depend on each other, synthetic; \
         2000 / 300 / 500",
    ),
];

/// The components of a toy set that is an equally weighted mixture of Gaussians.
#[derive(Debug, Clone, PartialEq)]
pub struct Modes {
    /// The centers `[x, y]`, by label number.
    pub centers: Vec<[f64; 2]>,
    /// The standard deviation of every component along each axis.
    pub std: f64,
}

/// The components of a toy set, if the name is that of a mixture of Gaussians.
///
/// For evaluating which modes the samples of a model cover.
pub fn modes(name: &str) -> Option<Modes> {
    match Toy::parse(name)?.ok()? {
        Toy::Gaussians(modes) => Some(modes),
        Toy::SwissRoll | Toy::Moons => None,
    }
}

/// A toy set in two dimensions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Toy {
    /// `rings:K` and `grid:N`.
    Gaussians(Modes),
    SwissRoll,
    Moons,
}

impl Toy {
    /// The toy set of a name, or the error in its number; `None` if the name is not that of a toy
    /// set.
    pub(crate) fn parse(name: &str) -> Option<Result<Self, DataError>> {
        match name.split_once(':') {
            None if name == "swiss-roll" => Some(Ok(Self::SwissRoll)),
            None if name == "moons" => Some(Ok(Self::Moons)),
            Some(("rings", k)) => Some(rings(name, k).map(Self::Gaussians)),
            Some(("grid", n)) => Some(grid(name, n).map(Self::Gaussians)),
            _ => None,
        }
    }

    /// Draws the set.
    pub(crate) fn open(&self, name: &str) -> Result<Dataset, DataError> {
        let kind = name.split(':').next().unwrap_or(name);
        let streams = Streams::new(SEED).purpose(&format!("toy {kind}"), 0);
        let mut first = 0;
        let [train, valid, test] = COUNTS.map(|count| {
            let (mut values, mut labels) = (Vec::with_capacity(count * 2), Vec::new());
            for index in first..first + count as u64 {
                let (point, label) = self.draw(&mut streams.item(index));
                // Single precision, as the set always had.
                values.extend(point.map(|v| f64::from(v as f32)));
                labels.extend(label);
            }
            first += count as u64;
            let labels = Some(labels).filter(|labels| !labels.is_empty());
            Split { values: Values::Reals(values), labels }
        });
        let mut data =
            Dataset::new(name, Domain::Real, Shape::columns(2), train, Some(valid), Some(test))?;
        data.column_names = vec!["x".to_owned(), "y".to_owned()];
        data.class_names = match self {
            Self::Gaussians(modes) => (0..modes.centers.len()).map(|i| i.to_string()).collect(),
            Self::Moons => vec!["upper".to_owned(), "lower".to_owned()],
            Self::SwissRoll => Vec::new(),
        };
        Ok(data)
    }

    /// A point, and the number of its component, if the set has components.
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], Option<u32>) {
        match self {
            Self::Gaussians(Modes { centers, std }) => {
                let label = rng.random_range(0..centers.len() as u32);
                (near(centers[label as usize], *std, rng), Some(label))
            }
            Self::SwissRoll => {
                let t = 1.5 * PI * (1.0 + 2.0 * uniform(rng));
                let point = near([t * t.cos(), t * t.sin()], ROLL_NOISE, rng);
                (point.map(|v| v / ROLL_SCALE), None)
            }
            Self::Moons => {
                let lower = uniform(rng) < 0.5;
                let (sin, cos) = (PI * uniform(rng)).sin_cos();
                let on = if lower { [1.0 - cos, 0.5 - sin] } else { [cos, sin] };
                (near(on, MOON_NOISE, rng), Some(u32::from(lower)))
            }
        }
    }
}

/// 53 random bits in [0, 1).
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn near(center: [f64; 2], std: f64, rng: &mut ChaCha8Rng) -> [f64; 2] {
    center.map(|c| {
        let noise: f64 = StandardNormal.sample(rng);
        c + std * noise
    })
}

fn number(name: &str, text: &str, most: usize) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        Ok(n) => Err(format!("{name}: {n} Gaussians are not supported; give 1 to {most}")),
        Err(_) => Err(format!("{name}: '{text}' is not a number of Gaussians from 1 to {most}")),
    }
}

fn rings(name: &str, k: &str) -> Result<Modes, DataError> {
    let k = number(name, k, RING_MOST)
        .map_err(|problem| DataError::Unsuitable(format!("{problem}, as in rings:8")))?;
    let centers = (0..k).map(|i| {
        let (sin, cos) = (TAU * i as f64 / k as f64).sin_cos();
        [RING_RADIUS * cos, RING_RADIUS * sin]
    });
    Ok(Modes { centers: centers.collect(), std: RING_STD })
}

fn grid(name: &str, n: &str) -> Result<Modes, DataError> {
    let n = number(name, n, GRID_MOST)
        .map_err(|problem| DataError::Unsuitable(format!("{problem}, as in grid:25")))?;
    let side = n.isqrt();
    if side * side != n {
        let near = [side * side, (side + 1) * (side + 1)].map(|n| format!("grid:{n}"));
        return Err(DataError::Unsuitable(format!(
            "{name}: {n} is not a square number, which a square lattice needs; the nearest are {}",
            near.join(" and ")
        )));
    }
    // Row by row, from the lower left.
    let at = |i: usize| (i as f64 - (side - 1) as f64 / 2.0) * GRID_SPACING;
    let centers = (0..n).map(|i| [at(i % side), at(i / side)]);
    Ok(Modes { centers: centers.collect(), std: GRID_STD })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, SplitName, open};

    const SPLITS: [SplitName; 3] = [SplitName::Train, SplitName::Valid, SplitName::Test];

    fn toy(name: &str) -> Dataset {
        open(name, &OpenOptions::default()).unwrap()
    }

    fn points(data: &Dataset, split: SplitName) -> Vec<[f64; 2]> {
        match &data.split(split).unwrap().values {
            Values::Reals(v) => v.chunks(2).map(|p| [p[0], p[1]]).collect(),
            Values::Bytes(_) => panic!("reals"),
        }
    }

    fn refused(name: &str) -> String {
        open(name, &OpenOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn gaussians_have_their_counts_and_moments() {
        for (name, k) in [("rings:8", 8), ("grid:25", 25), ("rings:1", 1), ("grid:4", 4)] {
            let data = toy(name);
            assert_eq!(SPLITS.map(|split| data.len(split)), COUNTS);
            assert_eq!(data.classes(), k);
            let modes = modes(name).unwrap();
            let labels = data.split(SplitName::Train).unwrap().labels.clone().unwrap();
            let all = points(&data, SplitName::Train);
            for (label, center) in modes.centers.iter().enumerate() {
                let off: Vec<[f64; 2]> = all
                    .iter()
                    .zip(&labels)
                    .filter(|(_, l)| **l as usize == label)
                    .map(|(p, _)| [p[0] - center[0], p[1] - center[1]])
                    .collect();
                let (n, share) = (off.len() as f64, 1.0 / k as f64);
                let expected = COUNTS[0] as f64 * share;
                let spread = (expected * (1.0 - share)).sqrt();
                assert!((n - expected).abs() <= 4.5 * spread, "{name} {label}: {n}");
                for d in 0..2 {
                    let mean = off.iter().map(|p| p[d]).sum::<f64>() / n;
                    let square = off.iter().map(|p| p[d] * p[d]).sum::<f64>() / n;
                    assert!(mean.abs() < 4.5 * modes.std / n.sqrt(), "{name} {label}: {mean}");
                    let ratio = square / (modes.std * modes.std);
                    assert!((ratio - 1.0).abs() < 4.5 * (2.0 / n).sqrt(), "{name} {label} {ratio}");
                }
            }
        }
        let ring = modes("rings:8").unwrap().centers;
        assert_eq!(ring[0], [2.0, 0.0]);
        assert!(ring.iter().all(|[x, y]| (x.hypot(*y) - 2.0).abs() < 1e-12));
        let grid = modes("grid:25").unwrap().centers;
        assert_eq!(
            [grid[0], grid[1], grid[12], grid[24]],
            [[-4.0, -4.0], [-2.0, -4.0], [0.0, 0.0], [4.0, 4.0]]
        );
    }

    #[test]
    fn curves_are_where_they_should_be() {
        let roll = toy("swiss-roll");
        assert_eq!(roll.classes(), 0);
        for [x, y] in points(&roll, SplitName::Train) {
            // On the spiral the radius is the angle, in [1.5 π, 4.5 π], up to whole turns.
            let (x, y) = (x * ROLL_SCALE, y * ROLL_SCALE);
            let angle = y.atan2(x);
            let turns = ((x.hypot(y) - angle) / TAU).round().clamp(0.0, 2.0);
            let off = x.hypot(y) - angle - turns * TAU;
            assert!(off.abs() < 6.0 * ROLL_NOISE, "{x} {y}: {off}");
        }
        let moons = toy("moons");
        let labels = moons.split(SplitName::Train).unwrap().labels.clone().unwrap();
        let lower = labels.iter().filter(|&&l| l == 1).count();
        assert!((lower as f64 - 5_000.0).abs() < 4.5 * 50.0, "{lower}");
        let mut square = 0.0;
        for ([x, y], label) in points(&moons, SplitName::Train).into_iter().zip(labels) {
            let off = if label == 0 { x.hypot(y) } else { (1.0 - x).hypot(0.5 - y) } - 1.0;
            assert!(off.abs() < 6.0 * MOON_NOISE, "{x} {y}: {off}");
            square += off * off;
        }
        let std = (square / COUNTS[0] as f64).sqrt();
        assert!((std / MOON_NOISE - 1.0).abs() < 0.05, "{std}");
        assert!(modes("moons").is_none() && modes("swiss-roll").is_none());
    }

    #[test]
    fn the_examples_are_always_the_same() {
        for (name, _) in TOYS {
            let other = OpenOptions { seed: 7, ..OpenOptions::default() };
            let print = toy(name).fingerprint();
            assert_eq!(print, open(name, &other).unwrap().fingerprint());
        }
        // So runs made elsewhere find them again.
        for (name, print) in [
            ("rings:8", "95f0ab8dad6d8fe5"),
            ("grid:25", "008b91340c57db8d"),
            ("swiss-roll", "5e9a97da61ccd0c5"),
            ("moons", "3b26e7c17d1046b1"),
        ] {
            assert!(toy(name).fingerprint().starts_with(print), "{name}");
        }
        // Other numbers of Gaussians are other data, and no example is in two splits.
        assert_ne!(toy("rings:8").fingerprint(), toy("rings:9").fingerprint());
        let [train, valid, test] = SPLITS.map(|split| points(&toy("moons"), split));
        assert!(valid.iter().chain(&test).all(|p| !train.contains(p)));
        assert!(test.iter().all(|p| !valid.contains(p)));
    }

    #[test]
    fn wrong_numbers_are_told() {
        for (name, word) in [
            (
                "grid:24",
                "24 is not a square number, which a square lattice needs; the nearest are \
                         grid:16 and grid:25",
            ),
            ("rings:0", "0 Gaussians are not supported; give 1 to 1000, as in rings:8"),
            ("rings:1001", "1001 Gaussians are not supported"),
            ("rings:x", "'x' is not a number of Gaussians from 1 to 1000, as in rings:8"),
            ("rings:", "'' is not a number"),
            ("rings:-3", "'-3' is not a number"),
            ("grid:2.5", "'2.5' is not a number of Gaussians from 1 to 10000, as in grid:25"),
            ("grid:99999999999999999999999", "is not a number of Gaussians"),
            // Names that are near.
            ("rings", "did you mean 'rings:8'?"),
            ("ring:8", "did you mean 'rings:8'?"),
            ("moon", "did you mean 'moons'?"),
            ("swissroll", "did you mean 'swiss-roll'?"),
        ] {
            let said = refused(name);
            assert!(said.contains(word), "{said}");
            assert!(modes(name).is_none(), "{name}");
        }
        let fold = OpenOptions { fold: Some(1), ..OpenOptions::default() };
        assert!(open("moons", &fold).unwrap_err().to_string().contains("no folds"));
        let gray = OpenOptions { gray: true, ..OpenOptions::default() };
        assert!(open("moons", &gray).is_err());
    }
}
