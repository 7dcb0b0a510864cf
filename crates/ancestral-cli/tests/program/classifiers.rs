//! Classifiers as a user fits and measures them.

use ancestral_test_support::Program;
use serde_json::Value;

use crate::program;

/// A table of rows, each with a class whose columns overlap those of others.
fn table(here: &Program, name: &str, classes: &[&str]) {
    let mut text = "size,weight,class\n".to_owned();
    for i in 0..90 {
        let class = i % classes.len();
        let noise = |f: f64| 1.5 * (f * i as f64 + 0.01 * (i * i) as f64).sin();
        let (size, weight) = (class as f64 + noise(1.7), 1e5 * (class as f64 + noise(2.9)));
        text += &format!("{size},{weight},\"{}\"\n", classes[class].replace('"', "\"\""));
    }
    here.write(name, text);
}

#[test]
fn a_table_is_fitted_measured_and_scored() {
    let here = program();
    table(&here, "birds.csv", &["crow", "rook, young", "\"tit\""]);
    let said = here.good("fit logistic --data birds.csv --out run");
    for words in [
        "bias[crow] = ",
        "weight[rook, young, size] = ",
        "95 % interval",
        "odds ratio",
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
    let numbers = weight.split(" = ").nth(1).unwrap().split(',').next().unwrap();
    let numbers: Vec<f64> = numbers.split(" ± ").map(|n| n.parse().unwrap()).collect();
    assert!(numbers.iter().all(|n| n.abs() > 0.0 && n.abs() < 1e-3), "{weight}");

    let fitted = here.json("fit logistic --data birds.csv --set penalty=0 --out plain");
    assert_eq!(fitted["converged"], true);
    assert_eq!(fitted["estimates"].as_array().unwrap().len(), 6);
    let nats = |value: &Value| value.as_f64().unwrap();
    let apart = nats(&fitted["objective"]) - nats(&fitted["train"]["class_nll"]);
    assert!(apart.abs() < 1e-12, "{fitted}");

    let measured = here.json("evaluate plain");
    for key in ["n", "accuracy", "accuracy_stderr", "class_nll", "brier_score", "reliability"] {
        assert_eq!(measured[key], fitted["test"][key], "{key}");
    }
    assert_eq!((&measured["split"], &measured["n"]), (&"test".into(), &9.into()));
    let said = here.good("evaluate plain --split train");
    assert!(said.contains("train accuracy") && said.contains("n = 73"), "{said}");

    let score = "score plain --data birds.csv --out scores.csv";
    let said = here.good(score);
    assert!(said.contains("90 rows") && said.contains("rook, young"), "{said}");
    let scores = here.read("scores.csv");
    let mut lines = scores.lines();
    // Names are sorted: a quotation mark comes first.
    let head = "row,class,\"p_\"\"tit\"\"\",p_crow,\"p_rook, young\"";
    assert_eq!(lines.next(), Some(head));
    assert_eq!(lines.count(), 90);
    let found = here.json(score);
    let counts: u64 = found["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!((found["n"].as_u64(), counts), (Some(90), 90));

    // Classes are known by their names, whatever the numbers they have in another file.
    let text = here.read("birds.csv");
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("crow")).collect();
    here.write("known.csv", kept.join("\n"));
    let known = here.json("evaluate plain --data known.csv --split train");
    assert!(known["accuracy"].as_f64().unwrap() > 0.5, "{known}");
    table(&here, "strange.csv", &["rook, young", "owl"]);
    here.bad("evaluate plain --data strange.csv", "class owl");
    here.good("score plain --data strange.csv --out strange-scores.csv");
    here.bad("sample plain", "cannot draw");
    here.bad("train logistic --data birds.csv", "ancestral fit logistic");
}

#[test]
fn data_that_does_not_suit_is_refused() {
    let here = program();
    let refused = |name: &str, more: &str, words: &str| {
        here.bad(&format!("fit logistic --data {name} {more}"), words);
    };
    here.write("bare.csv", "a,b\n1,2\n2,3\n3,1\n4,4\n5,1\n");
    refused("bare.csv", "", "no labels");
    here.write("one.csv", "a,label\n1,0\n2,0\n3,0\n4,0\n5,0\n");
    refused("one.csv", "", "1 class");
    here.write("nan.csv", "a,label\n1,0\nNaN,1\n3,0\n4,1\n5,0\n");
    refused("nan.csv", "", "line 3, column 1");
    let rows: String = (0..40).map(|i| format!("{i},{}\n", u8::from(i > 19))).collect();
    here.write("apart.csv", format!("a,label\n{rows}"));
    refused("apart.csv", "--set penalty=0", "the classes are separated");
    refused("apart.csv", "--set penalty=-1", "'penalty' is -1");
    here.good("fit logistic --data apart.csv --out apart");
    // Of three classes one is in the test split alone, where the probability of it is 0.
    let rows: String = (0..40).map(|i| format!("{},{},{}\n", i * 7 % 11, i % 2, i % 4)).collect();
    here.write("folds.csv", format!("a,label,fold\n{rows}5,2,3\n6,2,3\n"));
    let found = here.json("fit logistic --data folds.csv --fold 3 --out folds");
    assert_eq!(
        (&found["test"]["impossible"], &found["test"]["class_nll"]),
        (&2.into(), &"inf".into())
    );
    assert!(found["notes"].to_string().contains("without training examples"), "{found}");
    let said = here.good("evaluate folds");
    assert!(said.contains("test class NLL inf (2 examples"), "{said}");
}
