//! Packed runs: small, and still runs.

use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::prelude::*;
use ancestral::run::{RunFolder, RunSummary};
use ancestral::{Error, spec::cpu};

use crate::{likelihoods, refused, spec, table, train, weights};

fn pack(from: &Path, to: &Path, which: Weights, half: bool) -> ancestral::Result<()> {
    let registry = Registry::standard();
    RunFolder::open(from)?.pack(to, (&registry, &cpu()), which, half).map(drop)
}

#[test]
fn a_packed_run_is_small_and_still_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    train(&spec("vae", "digits", "epochs=2 average_decay=0.9").out(path("run")));
    pack(&path("run"), &path("half"), Weights::Best, true).unwrap();
    pack(&path("run"), &path("full"), Weights::Best, false).unwrap();
    pack(&path("run"), &path("raw"), Weights::Raw, false).unwrap();
    assert!(weights(&path("full")) == weights(&path("run")));
    assert!(weights(&path("raw")) != weights(&path("run")));
    let (half, full) = (weights(&path("half")).len(), weights(&path("full")).len());
    assert!(half * 10 < full * 6, "{half} of {full} bytes");
    let mut files: Vec<_> =
        std::fs::read_dir(path("half")).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["config.toml", "model.safetensors"]);
    let nll = |run: &str| {
        let ten = Options { samples: 10, ..Options::default() };
        likelihoods(&Run::load(path(run)).unwrap(), SplitName::Test, ten).nll_nats
    };
    assert_eq!(nll("full"), nll("run"));
    assert!((nll("half") - nll("run")).abs() < 0.05, "{} {}", nll("half"), nll("run"));
    Run::load(path("half")).unwrap().sample(4, 0).unwrap();
    assert_eq!(RunSummary::read(&path("half")).unwrap().model, "vae");
    refused(pack(&path("run"), &path("half"), Weights::Best, false), "already exists");
    let last = pack(&path("half"), &path("other"), Weights::Last, false).unwrap_err();
    assert!(matches!(last, Error::NoCheckpoint { .. }), "{last}");
    refused(Session::new().resume(&path("half"), None, true), "no checkpoint");
    let csv = path("far.csv");
    table(&csv, "x,y\n1e6,1\n-3e6,5\n2e6,2\n4e6,7\n", 0, |_| String::new());
    let far = spec("gaussian", csv.to_str().unwrap(), "").out(path("far"));
    Session::new().fit(&far).unwrap();
    let half = pack(&path("far"), &path("other"), Weights::Best, true);
    refused(half, "tensor 'model.factor' holds");
    assert!(!path("other").exists());
}
