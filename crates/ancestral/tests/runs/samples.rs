//! Completions, ensembles, and samples that are scored.

use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::prelude::*;
use ancestral::report::{MOST_FRAMED, MOST_FRAMES};
use ancestral::run::{Given, Mask, Reading, SampleSpec, Scores};
use ancestral_data::{write_csv, write_npy};
use ancestral_test_support::{Image, save_gray};

use crate::{likelihoods, refused, spec, table, train};

/// Rows of six binary columns in which the last three repeat the first three.
fn mirrored(folder: &Path) -> String {
    let path = folder.join("rows.data");
    table(&path, "", 200, |i| {
        let bits: Vec<String> =
            (0..6).map(|d| (((i * 7 % 8) >> (d % 3)) & 1).to_string()).collect();
        bits.join(",") + "\n"
    });
    path.to_str().unwrap().to_owned()
}

#[test]
fn given_parts_are_completed() {
    let dir = tempfile::tempdir().unwrap();
    let data = mirrored(dir.path());
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |model: &str, small: &str| {
        train(&spec(model, &data, &format!("epochs=150 learning_rate=0.02 {small}"))).run
    };
    let [nade, deep, made, fvsbn] = [
        run("nade", "hidden=16"),
        run("deep-nade", "hidden=[32]"),
        run("made", "hidden=[32]"),
        run("fvsbn", "order=raster"),
    ];
    let mut session = Session::new();
    let mut complete = |run: &Run, count, data: &str, mask: Option<Mask>| {
        let given = Given { data: data.to_owned(), mask, limit: None, reading: Reading::default() };
        let plain = SampleSpec::new(count, 0);
        session.sample(run, &SampleSpec { temperature: 0.5, complete: Some(given), ..plain })
    };
    // The first entries decide the others, which are drawn nearly always as they should be.
    let first = file("first.data", "1,0,1\n0,1,1\n");
    let whole = [[1.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]];
    for run in [&nade, &deep, &made, &fvsbn] {
        let drawn = complete(run, 10, &first, None).unwrap();
        let right = |(i, row): &(usize, &[f64])| *row == whole[i / 10];
        let count = drawn.values.chunks_exact(6).enumerate().filter(right).count();
        assert!(drawn.count == 20 && count >= 18, "{}: {drawn:?}", run.name());
    }
    // The last entries decide the first, for a model that can be given any.
    let last = file("last.data", "0,0,0,1,0,1\n0,0,0,0,1,1\n");
    let mask = |path: &str| Some(Mask::from(path));
    let own = file("mask.data", "0,0,0,1,1,1\n");
    assert_eq!(complete(&deep, 1, &last, mask(&own)).unwrap().values, whole.concat());
    refused(complete(&nade, 1, &last, mask(&own)), "deep-nade completes any part");
    let wrong = file("wrong.data", "0,0,1\n");
    refused(complete(&deep, 1, &last, mask(&wrong)), "expected 6 (6) in one row");
    let wrong = file("wrong.data", "0,0,1,2,0,0\n");
    refused(complete(&deep, 1, &last, mask(&wrong)), "1 marks a given entry");
    refused(complete(&deep, 1, &last, mask("top")), "not images");
    refused(complete(&deep, 1, &last, None), "no mask marks the given ones");
    let vae = train(&spec("vae", "digits", "steps=1 sample_count=0")).run;
    refused(complete(&vae, 1, "digits", mask("top")), "cannot complete");
}

#[test]
fn ensembles_are_averaged_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = mirrored(dir.path());
    let run = |model, set| train(&spec(model, &data, &format!("steps=20 {set}"))).run;
    let members = |members| Options { members, ..Options::default() };
    let (deep, made, nade) =
        (run("deep-nade", "hidden=[8]"), run("made", "masks=3"), run("nade", "hidden=8"));
    let mut session = Session::new();
    let test = DataQuery::split(SplitName::Test);
    for (run, n) in [(&deep, 5), (&made, 3)] {
        let found = likelihoods(run, SplitName::Test, members(n));
        assert_eq!((found.kind, found.members), ("exact", n));
        // A mean of probabilities is at least as good as the mean of log-probabilities.
        let last = found.curve.last().unwrap().nll_nats;
        assert!(found.curve.len() >= 3 && last == found.nll_nats, "{found:?}");
        let scores = session.score(run, &test, members(n)).unwrap();
        let Scores::LogProbabilities(scores) = scores else { unreachable!("it has a density") };
        assert!((scores.mean() + last).abs() < 1e-9, "{} {found:?}", scores.mean());
    }
    refused(session.evaluate(&made, &test, members(4)), "it has 3 masks");
    refused(session.evaluate(&nade, &test, members(2)), "one density");
}

#[test]
fn a_model_scores_its_own_samples() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(&spec("vae", "digits", "steps=5 sample_count=0")).run;
    let mut session = Session::new();
    let mut drawn = session.sample(&run, &SampleSpec::new(7, 0)).unwrap();
    let mut score = |file: &str| {
        let data = dir.path().join(file).to_str().map(str::to_owned);
        let options = Options { samples: 3, ..Options::default() };
        let scores = session.score(&run, &DataQuery { data, ..DataQuery::default() }, options)?;
        let Scores::LogProbabilities(scores) = scores else { unreachable!("it has a bound") };
        Ok(scores.nats)
    };
    write_csv(&dir.path().join("drawn.csv"), &drawn.columns, &drawn.values).unwrap();
    write_npy(&dir.path().join("drawn.npy"), &drawn.values, &[7, 1, 8, 8]).unwrap();
    let nats = score("drawn.csv").unwrap();
    assert_eq!((nats.len(), score("drawn.npy").unwrap()), (7, nats));
    drawn.values[2 * 64] = 17.5;
    write_csv(&dir.path().join("wrong.csv"), &drawn.columns, &drawn.values).unwrap();
    refused(score("wrong.csv"), "line 4, column 'x0': 17.5");
}

/// A specification to complete examples.
fn completed(data: &Path, mask: Mask, count: usize) -> SampleSpec {
    let given = Given {
        data: data.to_str().unwrap().to_owned(),
        mask: Some(mask),
        limit: None,
        reading: Reading::default(),
    };
    SampleSpec { complete: Some(given), ..SampleSpec::new(count, 0) }
}

#[test]
fn images_are_completed_below_rows_that_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let small = "steps=2 sample_count=0 hidden=4";
    let gray = train(&spec("pixel-cnn", "digits", &format!("{small} layers=1"))).run;
    let mut session = Session::new();
    // A file of 256 levels, of which the model has 17.
    let levels = |i: usize| (i * 7 % 17) as u8;
    let path = dir.path().join("image.png");
    let byte = |i: usize| (f64::from(levels(i)) * 255.0 / 16.0).round() as u8;
    let bytes: Vec<u8> = (0..64).map(byte).collect();
    save_gray(&path, 8, &bytes);
    let drawn = session.sample(&gray, &completed(&path, Mask::Rows(3), 4)).unwrap();
    assert_eq!((drawn.count, drawn.each), (4, 4));
    for row in drawn.values.chunks_exact(64) {
        assert!((0..24).all(|i| row[i] == f64::from(levels(i))), "{row:?}");
    }
    let below = |row: usize| &drawn.values[row * 64 + 24..(row + 1) * 64];
    assert_ne!(below(0), below(1));
    // The same as an array, in a folder, and by a mask of entries.
    let values: Vec<f64> = (0..64).map(|i| f64::from(levels(i))).collect();
    let array = dir.path().join("image.npy");
    write_npy(&array, &values, &[1, 8, 8]).unwrap();
    let folder = dir.path().join("images");
    std::fs::create_dir(&folder).unwrap();
    save_gray(&folder.join("a.png"), 8, &bytes);
    let mask = dir.path().join("mask.csv");
    let names: Vec<String> = (0..64).map(|i| format!("x{i}")).collect();
    let marks: Vec<f64> = (0..64).map(|i| f64::from(u8::from(i < 24))).collect();
    write_csv(&mask, &names, &marks).unwrap();
    let mask = Mask::from(mask.to_str().unwrap());
    for spec in [
        completed(&array, Mask::Rows(3), 4),
        completed(&folder, Mask::Rows(3), 4),
        completed(&path, mask, 4),
    ] {
        assert_eq!(session.sample(&gray, &spec).unwrap().values, drawn.values);
    }
    let digits = session.sample(&gray, &completed(Path::new("digits"), Mask::Rows(1), 1)).unwrap();
    assert_eq!(digits.count, 1297);
    for rows in [0, 8, 9] {
        let words = format!("cannot keep {rows} rows of each image: those of this model have 8");
        refused(session.sample(&gray, &completed(&path, Mask::Rows(rows), 1)), &words);
    }
    let large = dir.path().join("large.png");
    save_gray(&large, 9, &[0; 81]);
    let words = "examples of 1×9×9 (81 entries); expected 1×8×8 (64); resize them to 8×8 pixels";
    refused(session.sample(&gray, &completed(&large, Mask::Rows(2), 1)), words);
    let color = dir.path().join("color.png");
    ancestral_plot::Image::filled(8, 8, [0, 1, 2]).save_png(&color).unwrap();
    let words = "expected 1×8×8 (64); convert them to grayscale";
    refused(session.sample(&gray, &completed(&color, Mask::Rows(2), 1)), words);
    // As many entries, and other sides.
    write_npy(&array, &values, &[1, 4, 16]).unwrap();
    let words = "examples of 1×4×16 (64 entries); expected 1×8×8";
    refused(session.sample(&gray, &completed(&array, Mask::Rows(2), 1)), words);
    let values: Vec<f64> = values.iter().map(|v| v + 1.0).collect();
    write_npy(&array, &values, &[1, 8, 8]).unwrap();
    let error = session.sample(&gray, &completed(&array, Mask::Rows(2), 1)).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("17"), "{error}");
    // No prefix of its only order.
    refused(session.sample(&gray, &completed(&path, Mask::Left, 1)), "only the first of it");
    let data = mirrored(dir.path());
    let table = train(&spec("nade", &data, "steps=1 hidden=2")).run;
    let words = "cannot keep 2 rows of each image: examples of shape 6 are not images";
    refused(session.sample(&table, &completed(Path::new(&data), Mask::Rows(2), 1)), words);
}

#[test]
fn a_mask_of_pixels_is_that_of_all_channels() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(&spec("pixel-cnn", "discs", "steps=1 sample_count=0 hidden=6 layers=1")).run;
    let mut session = Session::new();
    let whole = run.sample(2, 7).unwrap();
    let data = dir.path().join("rows.npy");
    write_npy(&data, &whole, &[2, 3, 12, 12]).unwrap();
    // Two rows and a pixel: by pixels, and by entries.
    let mut drawn = Vec::new();
    for channels in [1, 3] {
        let path = dir.path().join(format!("mask-{channels}.npy"));
        let marks: Vec<f64> =
            (0..channels * 144).map(|i| f64::from(u8::from(i % 144 < 25))).collect();
        write_npy(&path, &marks, &[1, channels, 12, 12]).unwrap();
        let mask = Mask::File(path.to_str().unwrap().to_owned());
        drawn.push(session.sample(&run, &completed(&data, mask, 1)).unwrap().values);
    }
    assert_eq!(drawn[0], drawn[1]);
    for (i, (drawn, given)) in drawn[0].iter().zip(&whole).enumerate() {
        assert!(i % 144 >= 25 || drawn == given, "{i}");
    }
    assert_ne!(drawn[0], whole);
    let path = dir.path().join("mask.npy");
    write_npy(&path, &[0.0; 12], &[1, 1, 1, 12]).unwrap();
    let mask = Mask::File(path.to_str().unwrap().to_owned());
    let words = "1 × 12 entries; expected 432 (3×12×12) or 144, one for each pixel, in one row";
    refused(session.sample(&run, &completed(&data, mask, 1)), words);
}

#[test]
fn frames_show_what_is_drawn_without_changing_it() {
    let dir = tempfile::tempdir().unwrap();
    let gif = dir.path().join("a.gif");
    let mut session = Session::new();
    let small = "steps=2 sample_count=0";
    for (model, settings, data, frames) in [
        ("pixel-cnn", "hidden=4 layers=1", "digits", 64),
        ("nade", "hidden=4", "digits", 64),
        ("made", "hidden=[4]", "digits", 64),
        ("deep-nade", "hidden=[4]", "digits", 64),
        // The channels of a pixel in one frame.
        ("row-lstm", "hidden=4 layers=1", "discs", 144),
        // One channel after another: several pixels in a frame.
        ("nade", "hidden=4", "discs", MOST_FRAMES),
    ] {
        let run = train(&spec(model, data, &format!("{small} {settings}"))).run;
        let plain = SampleSpec { temperature: 0.9, ..SampleSpec::new(2, 3) };
        let (drawn, animation) = session.sample_frames(&run, &plain).unwrap();
        assert_eq!(drawn.values, session.sample(&run, &plain).unwrap().values, "{model}");
        assert_eq!(animation.len(), frames, "{model}");
        animation.save_gif(&gif).unwrap();
        let images = Image::frames(&gif);
        assert_eq!(images.len(), frames, "{model}");
        assert!(images.windows(2).all(|pair| pair[0] != pair[1]), "{model}");
        refused(session.sample_frames(&run, &SampleSpec { mean: true, ..plain }), "'mean'");
    }
    // Given pixels are there from the start.
    let run = train(&spec("pixel-cnn", "digits", &format!("{small} hidden=4 layers=1"))).run;
    let given = Given {
        limit: Some(1),
        ..completed(Path::new("digits"), Mask::Rows(5), 1).complete.unwrap()
    };
    let spec_of = |n| SampleSpec { complete: Some(given.clone()), ..SampleSpec::new(n, 0) };
    let (drawn, animation) = session.sample_frames(&run, &spec_of(3)).unwrap();
    assert_eq!((animation.len(), drawn.count), (24, 3));
    assert_eq!(drawn.values, session.sample(&run, &spec_of(3)).unwrap().values);
    refused(session.sample_frames(&run, &spec_of(MOST_FRAMED + 1)), "give 1 to 6");
    let gan = train(&spec("gan", "digits", &format!("{small} network=mlp"))).run;
    refused(session.sample_frames(&gan, &SampleSpec::new(1, 0)), "at once and has no steps");
    let table = train(&spec("nade", &mirrored(dir.path()), "steps=1 hidden=2")).run;
    refused(session.sample_frames(&table, &SampleSpec::new(1, 0)), "not images");
}

#[test]
fn the_costs_of_pixels_add_up_to_bits_per_dimension() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = Session::new();
    let test = DataQuery { limit: Some(30), ..DataQuery::split(SplitName::Test) };
    let small = "steps=2 sample_count=0";
    for (model, settings, data) in [
        ("pixel-cnn", "hidden=4 layers=1", "digits"),
        ("nade", "hidden=4 order=random", "digits"),
        ("gated-pixel-cnn", "hidden=4 layers=1", "discs"),
    ] {
        let run = train(&spec(model, data, &format!("{small} {settings}"))).run;
        let costs = session.pixel_costs(&run, &test).unwrap();
        let found = session.evaluate(&run, &test, Options::default()).unwrap().found;
        let ancestral::run::Measured::Likelihoods(found) = found else { unreachable!("exact") };
        let off = costs.bits_per_dim() - found.bits_per_dim.unwrap();
        assert!(off.abs() < 1e-6, "{model}: {off}");
        assert_eq!((costs.n, costs.bits.len()), (30, costs.shape.iter().product()));
        let sums = (0..costs.shape[0]).map(|c| costs.channel(c).iter().sum::<f64>());
        assert!((sums.sum::<f64>() - costs.total()).abs() < 1e-9);
        assert!((costs.pixels().iter().sum::<f64>() - costs.total()).abs() < 1e-9);
        let image = ancestral::report::cost_map(&costs);
        let side = if costs.shape[0] == 1 { 320 } else { 216 };
        assert_eq!(image.height(), side + 20 + 24 + 16, "{model}");
    }
    let vae = train(&spec("vae", "digits", small)).run;
    refused(session.pixel_costs(&vae, &test), "is not a sum over pixels");
    let gan = train(&spec("gan", "digits", &format!("{small} network=mlp"))).run;
    refused(session.pixel_costs(&gan, &test), "is not a sum over pixels");
    let table = train(&spec("nade", &mirrored(dir.path()), "steps=1 hidden=2")).run;
    refused(session.pixel_costs(&table, &test), "not images");
}
