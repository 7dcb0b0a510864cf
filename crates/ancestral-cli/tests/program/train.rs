//! `train`: what it says, resuming, interrupts.

use serde_json::Value;

use crate::program;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_says_what_chose_the_weights_and_what_was_drawn() {
    let here = program();
    let said = here.good("train gan --data rings:8 --steps 26 --set critic_hidden=[4]");
    assert!(said.contains("best validation chamfer_distance"), "{said}");
    assert!(said.contains("training runs/gan-rings-8-1/training.gif"), "{said}");
    // A budget that is too small, and samples that are far from the data, are said with what to do.
    assert!(said.contains("warning: this budget has 26 updates of the generator"), "{said}");
    assert!(said.contains("warning: samples are far from the data"), "{said}");
    let told = here.json("train gan --data rings:8 --steps 26 --set critic_hidden=[4]");
    assert_eq!(told["health"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(
        here.json("train nade --set hidden=4 --steps 5")["health"].as_array().unwrap().len(),
        0
    );
    let table: String = (0..400).map(|i| format!("{i}.5,{},{}\n", i % 7, (i * i) % 31)).collect();
    here.write("table.csv", format!("a,b,c\n{table}"));
    let output = here.run("train gan --data table.csv --steps 30");
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("best validation energy_distance"), "{said}");
    for words in ["step 30", "critic loss", "critic accuracy"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let units: String =
        (0..40).map(|i| format!("{},{}\n", 1000 * i, 0.001 * f64::from(i % 7))).collect();
    here.write("units.csv", format!("price,weight\n{units}"));
    let said = here.good("train gan --data units.csv --steps 5");
    assert!(said.contains("no validation"), "{said}");
    let said = here.good("train ae --steps 1 --set hidden=[4]");
    assert!(said.contains("reconstructions.png"), "{said}");
    here.bad("train gan --steps -5", "invalid value '-5'");
}

#[test]
fn json_is_one_object_and_quiet_is_one_path() {
    let here = program();
    let begun = here.json("train vae --epochs 1 --out run");
    assert_eq!(begun["finished"], true);
    let resumed = here.json("train --resume run");
    assert_eq!(resumed["step"], begun["step"]);
    assert_eq!(here.good("train --resume run --quiet"), "run/samples.png\n");
}

#[test]
fn a_run_that_has_ended_continues_with_a_larger_budget() {
    let here = program();
    let short = here.json("train nade --set hidden=8 --skip-test --epochs 2 --out run");
    assert_eq!((&short["epoch"], &short["test"]), (&2.0.into(), &Value::Null));
    here.bad("train --resume run --epochs 2", "larger budget");
    let long = here.json("train --resume run --epochs 3");
    assert_eq!(long["epoch"], 3.0);
    assert!(long["test"]["nll_nats"].as_f64().unwrap() > 0.0);
    let config = here.read("run/config.toml");
    assert!(config.contains("&& ancestral train --resume run --epochs 3"), "{config}");
}

#[test]
fn flags_win_over_a_file_of_settings() {
    let here = program();
    let flags = "--seed 3 --all-train --binarize static --epochs 2 --set latent_dims=[3]";
    here.good(&format!("train vae {flags} --quiet --set sample_count=0 --out one"));
    here.good("train vae --quiet --out two --config one/config.toml");
    let weights = |run: &str| here.bytes(&format!("{run}/model.safetensors"));
    assert!(weights("one") == weights("two"), "the weights differ");
    here.good("train vae --quiet --out three --seed 4 --config one/config.toml");
    assert!(weights("one") != weights("three"), "the seed was not taken");
    here.write("wrong.toml", "[modle]\nbeta = 2");
    here.bad("train vae --config wrong.toml", "did you mean 'model'?");
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let here = program();
    let train = "train vae --quiet --epochs 25 --set sample_count=0";
    here.good(&format!("{train} --out whole"));
    let parts = format!("{train} --set checkpoint_seconds=0 --out parts");
    let mut child = here.command(&parts).spawn().unwrap();
    for milliseconds in [150, 400, 250, 333] {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // SIGKILL on Unix; a run that has ended already cannot be killed.
        let _ = child.kill();
        child.wait().unwrap();
        if here.path("parts").exists() {
            child = here.command("train --resume parts --quiet").spawn().unwrap();
        }
    }
    child.wait().unwrap();
    here.good("train --resume parts --quiet");
    let weights = |run: &str| here.bytes(&format!("{run}/model.safetensors"));
    assert!(weights("whole") == weights("parts"), "the weights differ");
}

#[test]
#[cfg(unix)]
fn a_run_that_is_interrupted_ends_with_130_and_says_how_to_go_on() {
    use std::process::{Command, Stdio};
    let here = program();
    let child = here
        .command("train vae --epochs 100000 --set checkpoint_seconds=0 --out run")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !here.path("run/curves.svg").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("ancestral train --resume run"), "{said}");
}
