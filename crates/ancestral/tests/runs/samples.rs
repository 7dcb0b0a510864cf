//! Completions, ensembles, and samples that are scored.

use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::prelude::*;
use ancestral::run::{Given, Mask, SampleSpec, Scores};
use ancestral_data::{write_csv, write_npy};

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
        let given = Given { data: data.to_owned(), mask, limit: None };
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
    refused(score("wrong.csv"), "row 2, column 'x0': 17.5");
}
