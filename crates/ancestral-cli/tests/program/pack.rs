//! `pack`: a run as small as it gets.

use crate::program;

#[test]
fn a_packed_run_is_still_a_run() {
    let here = program();
    let small = "--set hidden=[[8]] --set latent_dims=[2] --set sample_count=0 --quiet";
    here.good(&format!("train vae --steps 5 --set average_decay=0.9 {small} --out run"));
    let said = here.good("pack run --half --out half");
    assert!(said.contains("MB") && said.trim_end().ends_with("wrote half"), "{said}");
    here.good("pack run --out full");
    here.good("pack run --weights raw --out raw");
    let weights = |run: &str| here.bytes(&format!("{run}/model.safetensors"));
    assert!(weights("full") == weights("run") && weights("raw") != weights("run"));
    let nll = |run: &str| -> f64 {
        here.good(&format!("evaluate {run} --samples 10 --quiet")).trim().parse().unwrap()
    };
    assert_eq!(nll("full"), nll("run"));
    here.good("sample half -n 4");
    let listed = here.json("runs half full run");
    for at in 1..3 {
        for key in ["step", "epoch", "best_validation", "test_nll_nats", "finished"] {
            assert_eq!(listed[at][key], listed[0][key], "{key}");
        }
    }
    assert!(listed[0]["best_validation"].as_f64().is_some(), "{listed}");
    here.bad("pack run --out half", "already exists");
    here.bad("pack half --weights last --out other", "no checkpoint");
    here.bad("train --resume half", "no checkpoint");
    here.write("far.csv", "x,y\n1e6,1\n-3e6,5\n2e6,2\n4e6,7\n");
    here.good("fit gaussian --data far.csv --out far");
    here.bad("pack far --half --out other", "65504; pack it without --half");
    assert!(!here.path("other").exists());
}
