//! The data of runs: folds, binarization, toys, and how it is found again.

use ancestral::evaluate::Options;
use ancestral::prelude::*;
use ancestral::run::{DataRequest, Measured, RunSummary, Scores, Storage};
use ancestral_data::Held;

use crate::{likelihoods, refused, spec, table, train};

#[test]
fn a_fold_is_kept_for_testing_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("rows.csv");
    table(&csv, "fold,x,y\n", 40, |i| format!("{},{}.5,{}\n", i % 4 + 1, i * 7 % 11, i * 5 % 13));
    let rows = csv.to_str().unwrap();
    let of_fold = |model: &str, data: &str, settings: &str, fold: u32, all_train: bool| {
        let spec = spec(model, data, settings);
        let data = DataRequest { fold: Some(fold), all_train, ..spec.data };
        RunSpec { data, ..spec }
    };
    let mut session = Session::new();
    let path = dir.path().join("g");
    session.fit(&of_fold("gaussian", rows, "", 4, false).out(&path)).unwrap();
    let config = std::fs::read_to_string(path.join("config.toml")).unwrap();
    assert!(config.contains("fold = 4"), "{config}");
    assert!(config.contains("columns = [\"x\", \"y\"]"), "{config}");
    let run = Run::load(&path).unwrap();
    let n = |split| likelihoods(&run, split, Options::default()).n;
    assert_eq!([SplitName::Train, SplitName::Valid, SplitName::Test].map(n), [20, 10, 10]);
    let all = DataQuery { data: Some(rows.to_owned()), ..DataQuery::default() };
    let scores = session.score(&run, &all, Options::default()).unwrap();
    let Scores::LogProbabilities(scores) = scores else { unreachable!("it has a density") };
    assert_eq!((scores.nats.len(), scores.of.n, scores.is_mass), (40, 40, false));

    let vae = of_fold("vae", rows, "steps=2 sample_count=0", 2, true);
    let prepared = session.prepare(&vae).unwrap();
    let lens = [SplitName::Train, SplitName::Valid, SplitName::Test].map(|s| prepared.data.len(s));
    assert_eq!(lens, [30, 10, 10]);
    let run = session.train_prepared(prepared).unwrap().run;
    let few = Options { samples: 2, ..Options::default() };
    let found = likelihoods(&run, SplitName::Test, few);
    assert_eq!((found.measure, found.bits_per_dim), ("density", None));
    assert!(found.nll_standardized.is_some());
    let other = DataQuery { data: Some(rows.to_owned()), ..DataQuery::split(SplitName::Test) };
    let found = session.evaluate(&run, &other, few).unwrap().found;
    assert!(matches!(found, Measured::Likelihoods(found) if found.nll_standardized.is_none()));

    refused(session.train(&of_fold("vae", rows, "", 5, false)), "folds are 1, 2, 3, 4");
    refused(session.train(&of_fold("vae", "digits", "", 1, false)), "has no folds");
}

#[test]
fn values_name_the_binarization_that_was_used() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("bits.csv");
    table(&csv, "a,b\n", 60, |i| format!("{},{}\n", i % 2, i / 3 % 2));
    let path = dir.path().join("run");
    let vae = spec("vae", csv.to_str().unwrap(), "epochs=1 sample_count=0").out(&path);
    let trained = train(&vae.binarize(Binarize::Dynamic));
    assert_eq!(trained.validation.as_deref(), Some("negative_elbo"));
    assert_eq!(trained.run.config.data.binarize, "none");
    let (mut session, few) = (Session::new(), Options { samples: 3, ..Options::default() });
    let test = DataQuery::split(SplitName::Test);
    assert_eq!(session.evaluate(&trained.run, &test, few).unwrap().of.binarize, "none");
    let all = DataQuery { data: csv.to_str().map(str::to_owned), ..DataQuery::default() };
    let scores = session.score(&trained.run, &all, few).unwrap();
    let Scores::LogProbabilities(scores) = scores else { unreachable!("it has a density") };
    assert!(scores.of.n == 60 && scores.of.data.ends_with("bits.csv"), "{:?}", scores.of);
    assert_eq!((scores.kind, scores.samples, scores.of.binarize), ("bound", 3, "none"));
    let listed = RunSummary::read(&path).unwrap();
    assert_eq!(listed.binarize, "none");
    assert_eq!(listed.validation().unwrap().0, "negative_elbo");
    assert!(listed.result.test_nll_nats.unwrap() > 0.0);
}

#[test]
fn toy_data_is_found_again_wherever_a_run_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::Within(dir.path().to_owned());
    Session::new().fit(&RunSpec { storage, ..spec("gaussian", "rings:5", "") }).unwrap();
    let run = Run::load(dir.path().join("gaussian-rings-5-1")).unwrap();
    assert!(likelihoods(&run, SplitName::Test, Options::default()).nll_nats.is_finite());
}

#[test]
fn a_density_has_no_bits() {
    let fit = Session::new().fit(&spec("gaussian", "digits", "")).unwrap();
    let names: Vec<&str> = fit.report.estimates.iter().map(|e| e.name.as_str()).collect();
    assert!(names.contains(&"variance[2]") && names.contains(&"covariance[2, 1]"), "{names:?}");
    let found = likelihoods(&fit.run, SplitName::Test, Options::default());
    assert_eq!((found.measure, found.bits_per_dim), ("density", None));
}

/// A conditional model is given the classes of other data by their names, whatever their numbers
/// there.
#[test]
fn classes_of_other_data_are_those_of_the_run_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, classes: &[&str]| {
        let path = dir.path().join(name);
        let row = |i: u32| {
            let class = classes[i as usize % classes.len()];
            let b = i as usize / classes.len() % 2;
            format!("{},{b},{class}\n", u8::from(class == "crow"))
        };
        table(&path, "a,b,label\n", 60, row);
        path.to_str().unwrap().to_owned()
    };
    let (both, rooks) = (write("both.csv", &["crow", "rook"]), write("rooks.csv", &["rook"]));
    let settings = "conditional=true latent_dims=[2] hidden=[[8]] epochs=30 sample_count=0";
    let run = train(&spec("vae", &both, settings)).run;
    let score = |data: &str| {
        let all = DataQuery { data: Some(data.to_owned()), ..DataQuery::default() };
        let few = Options { samples: 200, ..Options::default() };
        match Session::new().score(&run, &all, few).unwrap() {
            Scores::LogProbabilities(scores) => scores.nats,
            other => unreachable!("it has a density and no classes: {other:?}"),
        }
    };
    // In the other file rooks have the number 0, which is that of crows in the run.
    let own: Vec<f64> = score(&both).into_iter().skip(1).step_by(2).collect();
    let mean = |nats: &[f64]| nats.iter().sum::<f64>() / nats.len() as f64;
    let (own, other) = (mean(&own), mean(&score(&rooks)));
    assert!((own - other).abs() < 0.05, "{own} by both classes, {other} alone");
    let jay = DataQuery { data: Some(write("jays.csv", &["jay"])), ..DataQuery::default() };
    refused(Session::new().score(&run, &jay, Options::default()), "class jay");
}

/// Files of scores and what is said of them do not depend on how much of a table is held.
#[test]
fn scores_in_parts_are_those_of_the_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let csv = path("rows.csv");
    let names = ["jay", "owl", "tit"];
    let row = |i| format!("{},{}.5,{}\n", i * 7 % 11, i * 5 % 13, names[i as usize / 2 % 3]);
    table(&csv, "x,y,class\n", 700, row);
    let bits = path("bits.csv");
    table(&bits, "a,b,c\n", 700, |i| format!("{},{},{}\n", i % 2, i / 3 % 2, i / 5 % 2));
    let (csv, bits) = (csv.to_str().unwrap(), bits.to_str().unwrap());
    let mut session = Session::new();
    let mut runs = Vec::new();
    for (model, data, settings) in [
        ("gaussian", csv, ""),
        ("vae", csv, "steps=2 sample_count=0"),
        ("nade", bits, "steps=2 sample_count=0"),
        ("logistic", csv, ""),
    ] {
        let spec = spec(model, data, settings);
        let run = match model {
            "gaussian" | "logistic" => session.fit(&spec).unwrap().run,
            _ => train(&spec).run,
        };
        runs.push((run, data));
    }
    for (run, data) in &runs {
        let query = DataQuery { data: Some((*data).to_owned()), ..DataQuery::default() };
        let options = Options { samples: 7, ..Options::default() };
        let score = |entries: usize| {
            let out = path(&format!("scores-{entries}.csv"));
            let held = Held { entries, folder: dir.path().to_owned() };
            let summary = Session::new().score_holding(run, &query, options, &out, &held).unwrap();
            (std::fs::read_to_string(out).unwrap(), format!("{summary:?}"))
        };
        let whole = score(usize::MAX);
        assert_eq!(whole.0.lines().count(), 701);
        for entries in [1, 1000] {
            assert!(score(entries) == whole, "{} with {entries} held", run.model().name());
        }
        // As the values without a file.
        match session.score(run, &query, options).unwrap() {
            Scores::LogProbabilities(scores) => {
                let summary = format!("mean: {:?}, ", scores.mean());
                assert!(whole.1.contains(&summary), "{} {summary}", whole.1);
                let order = scores.by_rank();
                let lowest = order[..5].iter().map(|&i| (i, scores.nats[i]));
                let lowest = format!("lowest: {:?}", lowest.collect::<Vec<_>>());
                assert!(whole.1.contains(&lowest), "{} {lowest}", whole.1);
            }
            Scores::Classes(scores) => {
                assert_eq!(scores.most_probable.len(), 700);
            }
            Scores::Joint(..) => unreachable!("none of them is both"),
        }
    }
}
