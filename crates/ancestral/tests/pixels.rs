//! Tests of the models that draw images pixel after pixel, in addition to the conformance suite:
//! probabilities sum to one, no output sees what is drawn later, receptive fields are those of the
//! papers, and the sampler draws what whole forward passes draw.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use ancestral::Registry;
use ancestral::evaluate::{Options, bayes_rule};
use ancestral::likelihood::Likelihood;
use ancestral::model::{
    DataSpec, DensityOptions, Init, Known, Model, NamedTensors, SampleRequest, column_terms,
    input_gradients, log_probability, sample, sample_observed,
};
use ancestral::spec::cpu;
use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use burn::tensor::TensorData;

const MODELS: [&str; 4] = ["pixel-cnn", "gated-pixel-cnn", "row-lstm", "diagonal-bilstm"];

/// A model with weights so large that every output depends on all that it sees.
fn model(
    name: &str,
    settings: &str,
    domain: Domain,
    shape: Shape,
    classes: usize,
) -> Box<dyn Model> {
    let spec = DataSpec::new(domain, shape, classes);
    let settings = settings.parse().unwrap();
    let mut model =
        Registry::standard().build(name, &settings, &spec, &Init::new(&cpu(), 3)).unwrap();
    let shaken = |(tensor, data): (String, TensorData)| {
        let values: Vec<f32> = data.try_to_vec_as().unwrap();
        let noise = Streams::new(9).purpose(&tensor, 0).normals(&[0], values.len());
        let values: Vec<f32> = values.iter().zip(noise).map(|(v, e)| 1.5 * v + 0.3 * e).collect();
        (tensor, TensorData::new(values, data.shape().clone()))
    };
    let tensors: NamedTensors = model.tensors().into_iter().map(shaken).collect();
    model.load(&tensors).unwrap();
    model
}

/// Settings that exercise the options, for images of three channels at least.
fn variants(name: &str) -> Vec<String> {
    let small = "hidden = 5\nhead = 4\nfirst_kernel = 3\nactivation = 'softplus'\n";
    let kernel = if name.contains("cnn") { "kernel = 3\n" } else { "" };
    vec![
        format!("{small}{kernel}layers = 1"),
        format!("{small}{kernel}layers = 2\nskip = true\nfourier = 2"),
        format!("hidden = 3\nhead = 3\nlayers = 3\n{kernel}activation = 'tanh'"),
    ]
}

fn nats(model: &dyn Model, rows: Vec<f64>, count: usize) -> Vec<f64> {
    log_probability(model, &Batch::of(rows, count), DensityOptions::new(1, 0)).unwrap().nats
}

/// Every image of `size` entries of some levels, one after another.
fn all_images(levels: usize, size: usize) -> (Vec<f64>, usize) {
    let count = levels.pow(size as u32);
    let entry = |n: usize, d: usize| (n / levels.pow(d as u32) % levels) as f64;
    ((0..count).flat_map(|n| (0..size).map(move |d| entry(n, d))).collect(), count)
}

#[test]
fn probabilities_of_all_images_sum_to_one() {
    for (domain, levels, shape) in [
        (Domain::Binary, 2, Shape::image(1, 3, 3)),
        (Domain::Binary, 2, Shape::image(1, 1, 7)),
        (Domain::Binary, 2, Shape::image(1, 7, 1)),
        (Domain::Binary, 2, Shape::image(1, 1, 1)),
        (Domain::Levels(3), 3, Shape::image(3, 1, 2)),
        (Domain::Levels(4), 4, Shape::image(2, 2, 1)),
    ] {
        let (images, count) = all_images(levels, shape.size());
        for name in MODELS {
            for settings in variants(name) {
                let model = model(name, &settings, domain, shape.clone(), 0);
                let total: f64 = nats(&*model, images.clone(), count).iter().map(|l| l.exp()).sum();
                assert!((total - 1.0).abs() < 1e-5, "{name} ({settings}) on {shape}: {total}");
            }
        }
    }
    let (images, count) = all_images(4, 3);
    for name in MODELS {
        let settings = "hidden = 4\nlayers = 1\nlikelihood = 'logistic-mixture'";
        let model = model(name, settings, Domain::Levels(4), Shape::image(1, 3, 1), 0);
        let total: f64 = nats(&*model, images.clone(), count).iter().map(|l| l.exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{name}: {total}");
    }
}

/// Place of an entry in the order of drawing: pixels row after row, channels within a pixel.
fn place(entry: usize, [channels, height, width]: [usize; 3]) -> usize {
    let area = height * width;
    entry % area * channels + entry / area
}

/// For every pair, whether the term of an entry depends on an entry `[term][input]`, found by changing
/// the input.
fn dependence(model: &dyn Model, shape: [usize; 3], levels: usize) -> Vec<Vec<bool>> {
    let size = shape.iter().product();
    let base = Streams::new(4).purpose("base", 0).uniforms(&[0], size);
    let base: Vec<f64> = base.iter().map(|u| (f64::from(*u) * levels as f64).floor()).collect();
    let terms =
        |image: &[f64]| column_terms(model, &Batch::of(image.to_vec(), 1)).unwrap().unwrap();
    let before = terms(&base);
    let mut seen = vec![vec![false; size]; size];
    for input in 0..size {
        for level in 0..levels {
            let mut image = base.clone();
            image[input] = level as f64;
            for (term, (a, b)) in terms(&image).iter().zip(&before).enumerate() {
                seen[term][input] |= a != b && term != input;
            }
        }
    }
    seen
}

#[test]
fn no_output_sees_itself_or_what_is_drawn_later() {
    for (domain, levels, shape) in [
        (Domain::Levels(3), 3, [1, 5, 6]),
        (Domain::Levels(3), 3, [3, 3, 4]),
        (Domain::Levels(5), 5, [2, 4, 3]),
    ] {
        for name in MODELS {
            for settings in variants(name) {
                let [c, h, w] = shape;
                let model = model(name, &settings, domain, Shape::image(c, h, w), 0);
                let seen = dependence(&*model, shape, levels);
                let mut any = 0;
                for (term, seen) in seen.iter().enumerate() {
                    for (input, &seen) in seen.iter().enumerate() {
                        let earlier = place(input, shape) < place(term, shape);
                        assert!(
                            earlier || !seen,
                            "{name} ({settings}) on {shape:?}: {term} sees {input}"
                        );
                        any += usize::from(seen);
                    }
                }
                assert!(any > 0, "{name} sees nothing");
            }
        }
    }
}

/// What each pixel of a map sees, composed layer by layer.
#[derive(Clone)]
struct Reach {
    size: [usize; 2],
    /// `[pixel][pixel]`.
    seen: Vec<Vec<bool>>,
}

impl Reach {
    /// Every pixel sees itself.
    fn itself(size: [usize; 2]) -> Self {
        let area = size[0] * size[1];
        Self { size, seen: (0..area).map(|p| (0..area).map(|q| p == q).collect()).collect() }
    }

    fn nothing(size: [usize; 2]) -> Self {
        let area = size[0] * size[1];
        Self { size, seen: vec![vec![false; area]; area] }
    }

    fn at(&self, pixel: usize, [down, right]: [isize; 2]) -> Option<&Vec<bool>> {
        let [h, w] = self.size;
        let y = (pixel / w).checked_add_signed(down).filter(|y| *y < h)?;
        let x = (pixel % w).checked_add_signed(right).filter(|x| *x < w)?;
        Some(&self.seen[y * w + x])
    }

    /// Through a convolution.
    fn conv(&self, taps: &[[isize; 2]]) -> Self {
        let mut out = Self::nothing(self.size);
        for pixel in 0..out.seen.len() {
            for tap in taps {
                if let Some(from) = self.at(pixel, *tap) {
                    let from = from.clone();
                    out.seen[pixel].iter_mut().zip(from).for_each(|(to, from)| *to |= from);
                }
            }
        }
        out
    }

    fn and(mut self, other: &Self) -> Self {
        for (to, from) in self.seen.iter_mut().zip(&other.seen) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to |= from);
        }
        self
    }

    /// Through states that see the states at `taps`, which come before in `order`.
    fn scan(&self, taps: &[[isize; 2]], order: &[usize]) -> Self {
        let mut out = self.clone();
        for &pixel in order {
            for tap in taps {
                if let Some(from) = out.at(pixel, *tap).cloned() {
                    out.seen[pixel].iter_mut().zip(from).for_each(|(to, from)| *to |= from);
                }
            }
        }
        out
    }
}

/// The taps of a k×k filter before its middle, with it or without.
fn masked(side: isize, middle: bool) -> Vec<[isize; 2]> {
    let half = side / 2;
    (-half..=0)
        .flat_map(|down| (-half..=half).map(move |right| [down, right]))
        .filter(|[down, right]| *down < 0 || *right < 0 || middle && *right == 0)
        .collect()
}

/// The receptive fields that the papers describe.
fn expected(name: &str, layers: usize, size: [usize; 2]) -> Reach {
    if name == "diagonal-bilstm" {
        // A column outside of the image, to its right.
        let [h, w] = size;
        let wide = composed(name, layers, [h, w + 1]);
        let inside = |all: &Vec<bool>| -> Vec<bool> {
            all.chunks(w + 1).flat_map(|row| row[..w].to_vec()).collect()
        };
        let rows = wide.seen.chunks(w + 1).flat_map(|row| row[..w].iter().map(inside));
        return Reach { size, seen: rows.collect() };
    }
    composed(name, layers, size)
}

fn composed(name: &str, layers: usize, size: [usize; 2]) -> Reach {
    let [h, w] = size;
    let raster: Vec<usize> = (0..h * w).collect();
    let mirrored: Vec<usize> = (0..h).flat_map(|y| (0..w).rev().map(move |x| y * w + x)).collect();
    let mut x = Reach::itself(size).conv(&masked(7, false));
    match name {
        "pixel-cnn" => {
            for _ in 0..layers {
                x = x.clone().and(&x.conv(&masked(3, true)));
            }
            x
        }
        "row-lstm" => {
            for _ in 0..layers {
                let input = x.conv(&[[0, -1], [0, 0]]);
                x = x.and(&input.scan(&[[-1, -1], [-1, 0], [-1, 1]], &raster));
            }
            x
        }
        "diagonal-bilstm" => {
            for _ in 0..layers {
                let left = x.scan(&[[0, -1], [-1, 0]], &raster);
                let right = x.scan(&[[0, 1], [-1, 0]], &mirrored).conv(&[[-1, 0]]);
                x = x.and(&left).and(&right);
            }
            x
        }
        _ => {
            let wide = |side: isize| -> Vec<[isize; 2]> {
                (-(side / 2)..0)
                    .flat_map(|down| (-(side / 2)..=side / 2).map(move |right| [down, right]))
                    .collect()
            };
            let own = |side: isize| (-(side / 2)..=side / 2).map(|right| [0, right]);
            let mut down = Reach::itself(size).conv(&wide(7));
            let mut along = Reach::itself(size).conv(&[[0, -3], [0, -2], [0, -1]]).and(&down);
            for _ in 1..layers {
                down = down.conv(&wide(3).into_iter().chain(own(3)).collect::<Vec<_>>());
                along = along.clone().and(&along.conv(&[[0, -1], [0, 0]])).and(&down);
            }
            along
        }
    }
}

#[test]
fn receptive_fields_are_those_of_the_papers() {
    let size = [6, 11];
    for name in MODELS {
        for layers in [1, 2] {
            let settings =
                format!("layers = {layers}\nhidden = 6\nhead = 6\nactivation = 'softplus'");
            let shape = Shape::image(1, size[0], size[1]);
            let model = model(name, &settings, Domain::Levels(3), shape, 0);
            let seen = dependence(&*model, [1, size[0], size[1]], 3);
            let expected = expected(name, layers, size);
            for (pixel, (seen, expected)) in seen.iter().zip(&expected.seen).enumerate() {
                assert_eq!(seen, expected, "{name} of {layers} layers at {pixel}");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences_and_none_leads_to_what_is_drawn_later() {
    for (levels, shape) in [(256, [1, 5, 4]), (256, [3, 3, 3])] {
        let [c, h, w] = shape;
        let size = c * h * w;
        let base = Streams::new(4).purpose("base", 0).uniforms(&[0], 2 * size);
        let images: Vec<f64> =
            base.iter().map(|u| (f64::from(*u) * 200.0).floor() + 20.0).collect();
        for name in MODELS {
            let settings = "hidden = 6\nhead = 6\nlayers = 2\nactivation = 'softplus'\n\
                            likelihood = 'logistic-mixture'";
            let model = model(name, settings, Domain::Levels(levels), Shape::image(c, h, w), 0);
            let terms = |images: &[f64]| {
                column_terms(&*model, &Batch::of(images.to_vec(), 2)).unwrap().unwrap()
            };
            for column in [0, size / 2, size - 1] {
                let batch = Batch::of(images.clone(), 2);
                let found = input_gradients(&*model, &batch, column).unwrap().unwrap();
                let largest = found.iter().map(|g| g.abs()).fold(0.0, f64::max);
                for at in 0..2 * size {
                    let (example, entry) = (at / size, at % size);
                    let moved = |by: f64| {
                        let mut images = images.clone();
                        images[at] += by;
                        terms(&images)[example * size + column]
                    };
                    if place(entry, shape) >= place(column, shape) {
                        assert_eq!(found[at], 0.0, "{name}: {column} depends on {entry}");
                        continue;
                    }
                    let step = 2.0;
                    let slope = (moved(step) - moved(-step)) / (2.0 * step) * 255.0;
                    let off = (found[at] - slope).abs();
                    assert!(
                        off < 0.02 * largest,
                        "{name}: {column}, {entry}: {} {slope}",
                        found[at]
                    );
                }
            }
            let error = input_gradients(&*model, &Batch::of(images.clone(), 2), size).unwrap_err();
            assert!(error.to_string().contains(&format!("columns 0 to {}", size - 1)), "{error}");
        }
    }
}

#[test]
fn an_observer_is_told_each_step_and_changes_nothing() {
    let build = |name: &str, settings: &str, spec: &DataSpec| {
        Registry::standard()
            .build(name, &settings.parse().unwrap(), spec, &Init::new(&cpu(), 3))
            .unwrap()
    };
    let shape = Shape::image(1, 4, 3);
    let spec = DataSpec::new(Domain::Levels(3), shape.clone(), 0);
    let mut models: Vec<Box<dyn Model>> = MODELS
        .iter()
        .map(|name| model(name, &variants(name)[0], Domain::Levels(3), shape.clone(), 0))
        .collect();
    models.push(build("nade", "hidden = 4\norder = 'random'", &spec));
    models.push(build("made", "hidden = [4]", &spec));
    models.push(build("deep-nade", "hidden = [4]", &spec));
    for model in models {
        let (name, size, count) = (model.name(), 12, 70);
        let plain = SampleRequest { temperature: 0.8, ..SampleRequest::new(count, 5) };
        let whole = sample(&*model, &plain).unwrap();
        // Of each row, the first entries of its order are given.
        let mut order: Vec<Vec<usize>> = vec![Vec::new(); count];
        for request in [plain.clone(), plain] {
            let mut seen = vec![Vec::new(); count];
            let mut request = request;
            if !order[0].is_empty() {
                let mut given = vec![false; count * size];
                for (row, order) in order.iter().enumerate() {
                    order[..row % 4].iter().for_each(|entry| given[row * size + entry] = true);
                }
                request.known = Some(Known { values: whole.clone(), given });
            }
            let known = request.known.clone();
            let drawn = sample_observed(&*model, &request, &mut |step| {
                let is_given =
                    |row: usize| known.as_ref().is_some_and(|k| k.given[row * size + step.entry]);
                for (i, &row) in step.rows.iter().enumerate() {
                    assert_eq!(step.conditional.is_none(), is_given(row), "{name}");
                    seen[row].push((step.entry, f64::from(step.values[i])));
                    if let Some(conditional) = step.conditional {
                        let outputs = conditional.likelihood.outputs();
                        let outputs = &conditional.outputs[i * outputs..][..outputs];
                        let p = |level: u8| {
                            conditional.likelihood.log_probability_of(outputs, level.into()).exp()
                        };
                        assert!((p(0) + p(1) + p(2) - 1.0).abs() < 1e-6, "{name}");
                    }
                }
            })
            .unwrap();
            assert_eq!(drawn, sample(&*model, &request).unwrap(), "{name}");
            for (row, seen) in seen.iter().enumerate() {
                let mut entries: Vec<usize> = seen.iter().map(|step| step.0).collect();
                order[row].clone_from(&entries);
                entries.sort_unstable();
                assert_eq!(entries, (0..size).collect::<Vec<_>>(), "{name}");
                assert!(seen.iter().all(|&(entry, value)| drawn[row * size + entry] == value));
            }
        }
    }
    let vae = build("vae", "", &spec);
    let error = sample_observed(&*vae, &SampleRequest::new(1, 0), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("vae draws all entries of an example at once"), "{error}");
}

#[test]
fn the_diagonal_lstm_sees_the_whole_past_and_the_masked_filters_have_a_blind_spot() {
    let size = [7, 9];
    let past = |name: &str, layers: usize| {
        let expected = expected(name, layers, size);
        (0..size[0] * size[1]).all(|pixel| (0..pixel).all(|before| expected.seen[pixel][before]))
    };
    assert!(past("diagonal-bilstm", 1));
    assert!(past("gated-pixel-cnn", 7));
    assert!(!past("pixel-cnn", 20), "the blind spot stays however many layers there are");
}

/// The same draws from whole forward passes, one for each entry.
fn naive(model: &dyn Model, request: &SampleRequest, levels: usize) -> Vec<f64> {
    let [channels, height, width] = model.data().shape.as_image().unwrap();
    let (area, size) = (height * width, channels * height * width);
    let likelihood =
        if levels == 2 { Likelihood::Bernoulli } else { Likelihood::Categorical { levels } };
    let numbers: Vec<u64> = (request.first..request.first + request.count as u64).collect();
    let draws = likelihood.draws();
    let uniforms = request.streams.purpose("sample entries", 0).uniforms(&numbers, size * draws);
    let mut images = vec![0.0; request.count * size];
    let classes = model.sampler().unwrap().classes();
    for place in 0..size {
        let entry = place % channels * area + place / channels;
        let mut terms = vec![vec![0.0; levels]; request.count];
        for level in 0..levels {
            for image in images.chunks_exact_mut(size) {
                image[entry] = level as f64;
            }
            let mut batch = Batch::of(images.clone(), request.count);
            if classes > 0 {
                let class = |n: &u64| request.class.unwrap_or((n % classes as u64) as u32);
                batch.labels = Some(numbers.iter().map(class).collect());
            }
            let all = column_terms(model, &batch).unwrap().unwrap();
            for (terms, all) in terms.iter_mut().zip(all.chunks_exact(size)) {
                terms[level] = all[entry];
            }
        }
        for (i, image) in images.chunks_exact_mut(size).enumerate() {
            let outputs: Vec<f32> = match likelihood {
                Likelihood::Bernoulli => vec![(terms[i][1] - terms[i][0]) as f32],
                _ => terms[i].iter().map(|term| *term as f32).collect(),
            };
            let own = &uniforms[(i * size + entry) * draws..][..draws];
            image[entry] = f64::from(likelihood.draw(&outputs, own)[0]);
        }
    }
    images
}

#[test]
fn the_sampler_draws_what_whole_forward_passes_draw() {
    for (domain, levels, shape, classes) in [
        (Domain::Binary, 2, Shape::image(1, 6, 5), 0),
        (Domain::Binary, 2, Shape::image(1, 1, 6), 0),
        (Domain::Binary, 2, Shape::image(1, 6, 1), 3),
        (Domain::Levels(5), 5, Shape::image(3, 3, 4), 0),
        (Domain::Levels(4), 4, Shape::image(2, 4, 3), 3),
    ] {
        for name in MODELS {
            for settings in variants(name) {
                let settings = format!("{settings}\nconditional = {}", classes > 0);
                let model = model(name, &settings, domain, shape.clone(), classes);
                for seed in [0, 1, 2] {
                    let mut request = SampleRequest::new(7, seed);
                    request.first = 3;
                    request.class = (classes > 0 && seed == 1).then_some(2);
                    assert_eq!(
                        sample(&*model, &request).unwrap(),
                        naive(&*model, &request, levels),
                        "{name} ({settings}) on {shape}, seed {seed}"
                    );
                }
            }
        }
    }
}

#[test]
fn completions_keep_what_is_given_and_draw_the_rest_as_if_it_had_been_drawn() {
    let shape = Shape::image(3, 4, 3);
    let size = shape.size();
    for name in MODELS {
        let model = model(name, &variants(name)[1], Domain::Levels(4), shape.clone(), 0);
        let whole = sample(&*model, &SampleRequest::new(5, 1)).unwrap();
        // The first two rows and one channel.
        let given: Vec<bool> =
            (0..5 * size).map(|i| place(i % size, [3, 4, 3]) < 2 * 9 + 1).collect();
        let known = Known { values: whole.clone(), given: given.clone() };
        let request = SampleRequest { known: Some(known), ..SampleRequest::new(5, 1) };
        assert_eq!(sample(&*model, &request).unwrap(), whole, "{name}");
        let mut other = whole.clone();
        other.iter_mut().zip(&given).filter(|(_, given)| !**given).for_each(|(v, _)| *v = 0.0);
        let known = Known { values: other.clone(), given: given.clone() };
        let request = SampleRequest { known: Some(known), ..SampleRequest::new(5, 2) };
        let drawn = sample(&*model, &request).unwrap();
        let kept = drawn.iter().zip(&other).zip(&given).filter(|(_, given)| **given);
        assert!(kept.into_iter().all(|((drawn, known), _)| drawn == known), "{name}");
        assert!(drawn != whole, "{name}");
        // Not the first of the order.
        let given: Vec<bool> = (0..5 * size).map(|i| i % size == size - 1).collect();
        let known = Known { values: whole, given };
        let request = SampleRequest { known: Some(known), ..SampleRequest::new(5, 1) };
        let error = sample(&*model, &request).unwrap_err().to_string();
        assert!(error.contains("only the first"), "{error}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let registry = Registry::standard();
    let build = |name: &str, settings: &str, spec: &DataSpec| {
        registry
            .build(name, &settings.parse().unwrap(), spec, &Init::new(&cpu(), 0))
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    let table = DataSpec::new(Domain::Binary, Shape::columns(9), 0);
    let color = DataSpec::new(Domain::Levels(256), Shape::image(3, 4, 4), 0);
    for name in MODELS {
        let error = build(name, "", &table);
        assert!(error.contains(name) && error.contains("images"), "{error}");
        let error = build(name, "hidden = 2", &color);
        assert!(error.contains("hidden") && error.contains("3 channels"), "{error}");
        let error = build(name, "first_kernel = 4", &color);
        assert!(error.contains("first_kernel") && error.contains("odd"), "{error}");
        let error = build(name, "conditional = true", &color);
        assert!(error.contains("conditional") && error.contains("labels"), "{error}");
        let error = build(name, "likelihood = 'gaussian-shared'", &color);
        assert!(error.contains("likelihood") && error.contains("choose gaussian"), "{error}");
        let error = build(name, "likelihood = 'bernoulli'", &color);
        assert!(error.contains("likelihood"), "{error}");
        let model = model(name, "conditional = true", Domain::Binary, Shape::image(1, 2, 2), 3);
        let unlabelled = Batch::of(vec![0.0; 4], 1);
        let error = log_probability(&*model, &unlabelled, DensityOptions::new(1, 0)).unwrap_err();
        assert!(error.to_string().contains("labels"), "{error}");
        let mut wrong = unlabelled;
        wrong.labels = Some(vec![3]);
        let error = log_probability(&*model, &wrong, DensityOptions::new(1, 0)).unwrap_err();
        assert!(error.to_string().contains("class 3"), "{error}");
    }
}

#[test]
fn bayes_rule_over_the_classes_is_that_of_the_log_probabilities() {
    let (n, size, classes) = (40, 9, 3);
    let uniforms = Streams::new(2).purpose("images", 0);
    let values: Vec<u8> = (0..n as u64)
        .flat_map(|i| uniforms.uniforms(&[i], size))
        .map(|u| u8::from(u < 0.5))
        .collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % classes).collect();
    let split = Split { values: Values::Bytes(values), labels: Some(labels.clone()) };
    let shape = Shape::image(1, 3, 3);
    let data = Dataset::new("small", Domain::Binary, shape.clone(), split, None, None).unwrap();
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
    let settings = format!("{}\nconditional = true", variants("pixel-cnn")[0]);
    let model = model("pixel-cnn", &settings, Domain::Binary, shape.clone(), 3);
    let found = bayes_rule(&*model, &examples, Options::default(), &mut |_| {}).unwrap();
    let indices: Vec<u64> = (0..n as u64).collect();
    let by_class: Vec<Vec<f64>> = (0..classes)
        .map(|class| {
            let mut batch = examples.batch(&indices, 0);
            batch.labels = Some(vec![class; n]);
            log_probability(&*model, &batch, DensityOptions::new(1, 0)).unwrap().nats
        })
        .collect();
    let (mut right, mut own, mut marginal) = (0, 0.0, 0.0);
    for (i, &label) in labels.iter().enumerate() {
        let joint: Vec<f64> = by_class.iter().map(|nats| nats[i].exp() / 3.0).collect();
        let total: f64 = joint.iter().sum();
        let best = (0..3).max_by(|&a, &b| joint[a].total_cmp(&joint[b])).unwrap();
        right += usize::from(best == label as usize);
        own -= (joint[label as usize] / total).ln() / n as f64;
        marginal -= total.ln() / n as f64;
    }
    assert_eq!(found.classification.accuracy, right as f64 / n as f64);
    assert!((found.classification.class_nll - own).abs() < 1e-9);
    assert!((found.nll_nats - marginal).abs() < 1e-9);
    let plain = self::model("pixel-cnn", &variants("pixel-cnn")[0], Domain::Binary, shape, 3);
    let error =
        bayes_rule(&*plain, &examples, Options::default(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("conditional=true"), "{error}");
}
