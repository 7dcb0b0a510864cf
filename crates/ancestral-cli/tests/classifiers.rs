//! Classifiers as a user fits and measures them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn ancestral(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ancestral")).current_dir(folder).args(args).output().unwrap()
}

fn good(folder: &Path, args: &[&str]) -> String {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn object(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&good(folder, &[args, &["--json"]].concat())).unwrap()
}

fn bad(folder: &Path, args: &[&str], words: &str) {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
    assert!(errors.contains(words), "{args:?}: {errors}");
    assert!(!errors.contains("panicked"), "{args:?}: {errors}");
}

/// A table of rows, each with a class whose columns overlap those of others.
fn table(folder: &Path, name: &str, classes: &[&str]) {
    let mut text = "size,weight,class\n".to_owned();
    for i in 0..90 {
        let class = i % classes.len();
        let noise = |f: f64| 1.5 * (f * i as f64 + 0.01 * (i * i) as f64).sin();
        let (size, weight) = (class as f64 + noise(1.7), 1e5 * (class as f64 + noise(2.9)));
        text += &format!("{size},{weight},\"{}\"\n", classes[class].replace('"', "\"\""));
    }
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_table_is_fitted_measured_and_scored() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    table(here, "birds.csv", &["crow", "rook, young", "\"tit\""]);
    let said = good(here, &["fit", "logistic", "--data", "birds.csv", "--out", "run"]);
    for words in [
        "bias[crow] = ",
        "weight[rook, young, size] = ",
        "converged after",
        "relative to class \"tit\"",
        "penalty = 1; penalty = 0 is maximum likelihood",
        "train accuracy",
        "test class NLL",
        "Brier score",
        "expected calibration error",
        "confidence",
        "wrote run",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // A weight of a column of 1e5 is small, and shown nevertheless.
    let weight = said.lines().find(|line| line.starts_with("weight[crow, weight]")).unwrap();
    assert!(weight.split(" = ").nth(1).unwrap().contains("0.0000"), "{weight}");
    assert!(!weight.ends_with("± 0.0000"), "{weight}");

    let plain = ["--set", "penalty=0", "--out", "plain"];
    let fitted = object(here, &[&["fit", "logistic", "--data", "birds.csv"], &plain[..]].concat());
    assert_eq!(fitted["converged"], true);
    assert_eq!(fitted["estimates"].as_array().unwrap().len(), 6);
    let nats = |value: &Value| value.as_f64().unwrap();
    let apart = nats(&fitted["objective"]) - nats(&fitted["train"]["class_nll"]);
    assert!(apart.abs() < 1e-12, "{fitted}");

    let measured = object(here, &["evaluate", "plain"]);
    for key in ["n", "accuracy", "accuracy_stderr", "class_nll", "brier_score", "reliability"] {
        assert_eq!(measured[key], fitted["test"][key], "{key}");
    }
    assert_eq!((&measured["split"], &measured["n"]), (&"test".into(), &9.into()));
    let said = good(here, &["evaluate", "plain", "--split", "train"]);
    assert!(said.contains("train accuracy") && said.contains("n = 73"), "{said}");

    let score = ["score", "plain", "--data", "birds.csv", "--out", "scores.csv"];
    let said = good(here, &score);
    assert!(said.contains("90 rows") && said.contains("rook, young"), "{said}");
    let scores = std::fs::read_to_string(here.join("scores.csv")).unwrap();
    let mut lines = scores.lines();
    // Names are sorted: a quotation mark comes first.
    let head = "row,class,\"p_\"\"tit\"\"\",p_crow,\"p_rook, young\"";
    assert_eq!(lines.next(), Some(head));
    assert_eq!(lines.count(), 90);
    let found = object(here, &score);
    let counts: u64 = found["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!((found["n"].as_u64(), counts), (Some(90), 90));

    // Classes are known by their names, whatever the numbers they have in another file.
    table(here, "two.csv", &["rook, young", "\"tit\""]);
    let text = std::fs::read_to_string(here.join("birds.csv")).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("crow")).collect();
    std::fs::write(here.join("known.csv"), kept.join("\n")).unwrap();
    let known = object(here, &["evaluate", "plain", "--data", "known.csv", "--split", "train"]);
    assert!(known["accuracy"].as_f64().unwrap() > 0.5, "{known}");
    table(here, "strange.csv", &["rook, young", "owl"]);
    bad(here, &["evaluate", "plain", "--data", "strange.csv"], "class owl");
    good(here, &["score", "plain", "--data", "strange.csv", "--out", "strange-scores.csv"]);
    bad(here, &["sample", "plain"], "cannot draw");
    bad(here, &["train", "logistic", "--data", "birds.csv"], "ancestral fit logistic");
}

#[test]
fn data_that_does_not_suit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let write = |name: &str, text: &str| std::fs::write(here.join(name), text).unwrap();
    let fit = |name: &str| ["fit", "logistic", "--data", name].map(str::to_owned);
    let refused = |name: &str, more: &[&str], words: &str| {
        let fit = fit(name);
        let args: Vec<&str> = fit.iter().map(String::as_str).chain(more.iter().copied()).collect();
        bad(here, &args, words);
    };
    write("bare.csv", "a,b\n1,2\n2,3\n3,1\n4,4\n5,1\n");
    refused("bare.csv", &[], "no labels");
    write("one.csv", "a,label\n1,0\n2,0\n3,0\n4,0\n5,0\n");
    refused("one.csv", &[], "1 class");
    write("nan.csv", "a,label\n1,0\nNaN,1\n3,0\n4,1\n5,0\n");
    refused("nan.csv", &[], "line 3, column 1");
    let rows: String = (0..40).map(|i| format!("{i},{}\n", u8::from(i > 19))).collect();
    write("apart.csv", &format!("a,label\n{rows}"));
    refused("apart.csv", &["--set", "penalty=0"], "the classes are separated");
    refused("apart.csv", &["--set", "penalty=-1"], "'penalty' is -1");
    good(here, &["fit", "logistic", "--data", "apart.csv", "--out", "apart"]);
    // Of three classes one is in the test split alone, where the probability of it is 0.
    let rows: String = (0..40).map(|i| format!("{},{},{}\n", i * 7 % 11, i % 2, i % 4)).collect();
    let folded = format!("a,label,fold\n{rows}5,2,3\n6,2,3\n");
    write("folds.csv", &folded);
    let args = ["fit", "logistic", "--data", "folds.csv", "--fold", "3", "--out", "folds"];
    let found = object(here, &args);
    assert_eq!(
        (&found["test"]["impossible"], &found["test"]["class_nll"]),
        (&2.into(), &Value::Null)
    );
    assert!(found["notes"].to_string().contains("without training examples"), "{found}");
    let said = good(here, &["evaluate", "folds"]);
    assert!(said.contains("test class NLL inf (2 examples"), "{said}");
}
