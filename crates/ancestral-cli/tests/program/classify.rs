//! Bayes' rule over densities, regressions and their plots, as a user runs them.

use ancestral_test_support::Program;
use serde_json::Value;

use crate::program;

/// Rows of three classes around different centers.
fn table(here: &Program, name: &str, classes: &[&str], n: usize) {
    let mut text = "a,b,class\n".to_owned();
    for i in 0..n {
        let class = i % classes.len();
        let noise = |f: f64| (f * i as f64 + 0.01 * (i * i) as f64).sin() + (0.7 * i as f64).cos();
        let (a, b) = (2.0 * class as f64 + noise(1.7), 1.5 * (class % 2) as f64 + noise(2.9));
        text += &format!("{a:.4},{b:.4},{}\n", classes[class]);
    }
    here.write(name, text);
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The lines of a CSV as cells.
fn cells(here: &Program, name: &str) -> Vec<Vec<String>> {
    let text = here.read(name);
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn densities_of_each_class_classify_by_bayes_rule() {
    let here = program();
    table(&here, "kinds.csv", &["low", "mid", "high"], 240);
    for model in ["qda", "lda", "naive-bayes"] {
        let said = here.good(&format!("fit {model} --data kinds.csv --out {model}"));
        for words in
            ["prior[high] = ", "train negative log-density", "train accuracy", "test class NLL"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        let measured = here.json(&format!("evaluate {model}"));
        assert!(number(&measured["nll_nats"]).is_finite() && number(&measured["accuracy"]) > 0.5);
        // The classes of score are those of classify.
        here.good(&format!("score {model} --data kinds.csv --out scores.csv"));
        let found = here.json(&format!("classify {model} --data kinds.csv --out predictions.csv"));
        let (scores, predicted) = (cells(&here, "scores.csv"), cells(&here, "predictions.csv"));
        assert_eq!(
            predicted[0],
            ["row", "label", "class", "p_high", "p_low", "p_mid", "log_probability"]
        );
        assert_eq!(
            scores[0],
            ["row", "log_probability", "kind", "mc_stderr", "class", "p_high", "p_low", "p_mid"]
        );
        let value = |cell: &String| cell.parse::<f64>().unwrap();
        for (score, row) in scores.iter().zip(&predicted).skip(1) {
            assert_eq!((&score[4], &score[0]), (&row[2], &row[0]));
            for k in 0..3 {
                assert!(
                    (value(&score[5 + k]) - value(&row[3 + k])).abs() < 1e-9,
                    "{score:?} {row:?}"
                );
            }
            assert!((value(&score[1]) - value(&row[6])).abs() < 1e-9, "{score:?} {row:?}");
        }
        assert_eq!((&found["kind"], &found["n"]), (&"exact".into(), &240.into()));
        let right = predicted.iter().skip(1).filter(|row| row[1] == row[2]).count();
        assert!((right as f64 / 240.0 - number(&found["accuracy"])).abs() < 1e-12);
        let interval = &found["accuracy_interval"];
        assert!(number(&interval[0]) < number(&found["accuracy"]));
        assert!(number(&found["accuracy"]) < number(&interval[1]));
        // Samples of a class.
        here.good(&format!("sample {model} --class high -n 50 --out high.csv"));
        let drawn = cells(&here, "high.csv");
        let mean = drawn.iter().skip(1).map(|row| value(&row[0])).sum::<f64>() / 50.0;
        assert!((mean - 4.0).abs() < 1.0, "{mean}");
    }
    // Other class probabilities, in the order of the classes or by name.
    let of = |priors: &str| here.json(&format!("classify qda --data kinds.csv --priors {priors}"));
    let certain = of("high=1,low=0,mid=0");
    assert_eq!(certain["counts"], serde_json::json!([240, 0, 0]));
    assert_eq!(of("2,2,2")["class_nll"], of("equal")["class_nll"]);
    assert_ne!(of("1,2,5")["class_nll"], of("equal")["class_nll"]);
    for (priors, words) in [
        ("1,2", "give one for each of the classes high, low, mid"),
        ("high=1,high=2,mid=1", "give one for each"),
        ("0,0,0", "give one above 0"),
        ("often", "give training, equal, or numbers"),
        ("1,-1,1", "finite numbers of 0 or more"),
    ] {
        here.bad(&format!("classify qda --data kinds.csv --priors {priors}"), words);
    }
    here.bad("classify qda qda --data kinds.csv", "classifies by itself; give it alone");
    here.bad("train qda --data kinds.csv", "ancestral fit qda");
    // Rows without labels, one of them like no class.
    here.write("new.csv", "a,b\n0.1,0.2\n90,-70\n");
    let said = here.good("classify qda --data new.csv --out new-classes.csv");
    assert!(said.contains("least probable of all classes together: row 1"), "{said}");
    assert_eq!(cells(&here, "new-classes.csv")[0][1], "class");
    here.bad("classify qda --data new.csv --plot plots", "no labels to compare with");
    table(&here, "strange.csv", &["low", "owl"], 20);
    here.bad("classify qda --data strange.csv", "class owl");
}

#[test]
fn runs_of_one_class_each_classify_together() {
    let here = program();
    table(&here, "kinds.csv", &["low", "mid", "high"], 240);
    for class in ["low", "mid", "high"] {
        let fit = format!("fit gaussian --data kinds.csv --class {class}");
        here.good(&format!("{fit} --set relative_variance_floor=0 --out of-{class}"));
    }
    here.bad("fit gaussian --data kinds.csv --class owl", "its classes are high, low, mid");
    let runs = "of-low of-mid of-high";
    let found = here.json(&format!("classify {runs} --data kinds.csv --plot plots"));
    assert_eq!(found["classes"], serde_json::json!(["low", "mid", "high"]));
    // Two Gaussians by class are QDA of maximum likelihood on the same rows, but for the split.
    here.good("fit qda --data kinds.csv --out qda");
    let whole = here.json("classify qda --data kinds.csv");
    let apart = number(&found["class_nll"]) - number(&whole["class_nll"]);
    assert!(apart.abs() < 0.05, "{apart}");
    for plot in ["confusion", "roc", "precision-recall", "reliability"] {
        assert!(here.path(&format!("plots/{plot}.png")).exists(), "{plot}");
    }
    // The classes can be named otherwise, and must be those of the data.
    here.json(&format!("classify {runs} --data kinds.csv --classes low,mid,high --priors equal"));
    let other = format!("classify {runs} --data kinds.csv");
    here.bad(&format!("{other} --classes low,mid"), "give one for each of the 3 runs");
    here.bad(&format!("{other} --classes low,mid,mid"), "two runs are of class 'mid'");
    here.bad(
        &format!("{other} --classes low,mid,owl"),
        "the classes of the runs are low, mid, owl",
    );
    here.bad("classify of-low --data kinds.csv", "is not conditional on classes");
    here.bad("classify of-low --data kinds.csv --classes low", "one run has classes of its own");
    // By the names of folders, where nothing else tells.
    let rows = here.read("kinds.csv");
    for class in ["low", "mid"] {
        let own = rows.lines().filter(|line| line.ends_with(class));
        let text: Vec<&str> = own.map(|line| line.rsplit_once(',').unwrap().0).collect();
        here.write(&format!("{class}.csv"), format!("a,b\n{}\n", text.join("\n")));
        here.good(&format!("fit kde --data {class}.csv --out kde-{class}"));
    }
    let two: Vec<&str> = rows.lines().filter(|line| !line.ends_with("high")).collect();
    here.write("two.csv", two.join("\n"));
    let found = here.json("classify kde-low kde-mid --data two.csv");
    assert_eq!(found["classes"], serde_json::json!(["low", "mid"]));
    assert!(number(&found["accuracy"]) > 0.7, "{found}");
    // A classifier, with the classes of other shares.
    here.good("fit logistic --data two.csv --out logistic");
    let own = here.json("classify logistic --data two.csv");
    assert_eq!((&own["kind"], &own["priors"]), (&"classifier".into(), &Value::Null));
    let same = here.json("classify logistic --data two.csv --priors training");
    assert_eq!(own["class_nll"], same["class_nll"]);
    let shifted = here.json("classify logistic --data two.csv --priors low=99,mid=1");
    let counts = |found: &Value| found["counts"][0].as_u64().unwrap();
    assert!(counts(&shifted) > counts(&own), "{shifted}");
}

#[test]
fn a_regression_is_a_density_of_its_target() {
    let here = program();
    let mut text = "x,kind,y\n".to_owned();
    for i in 0..120 {
        let (x, kind) = (f64::from(i % 17), ["a", "b", "c"][i as usize % 3]);
        let noise = (2.3 * f64::from(i)).sin();
        let y = 1.0 + 0.5 * x + 2.0 * f64::from(i % 3) + noise;
        text += &format!("{x},{kind},{y:.3}\n");
    }
    here.write("rows.csv", &text);
    let said = here.good("fit linear --data rows.csv --target y --plot plots --out line");
    for words in ["weight[x] = 0.5", "weight[kind=b] = ", "95 % interval", "R² ", "adjusted R² "]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    for plot in ["residuals", "quantiles", "leverage"] {
        assert!(here.path(&format!("plots/{plot}.png")).exists(), "{plot}");
    }
    assert!(here.read("line/config.toml").contains("target = \"y\""));
    let measured = here.json("evaluate line");
    assert_eq!((&measured["kind"], &measured["measure"]), (&"exact".into(), &"density".into()));
    here.good("score line --data rows.csv --out scores.csv");
    assert_eq!(cells(&here, "scores.csv").len(), 121);
    here.bad("sample line --out line.csv", "draws column 'y' given the others; give rows");
    here.bad("fit linear --data rows.csv --target kind", "has 3 categories");
    here.bad("fit linear --data rows.csv --target z", "the columns are x, kind, y");
    here.bad("fit gaussian --data rows.csv --target y", "--target is for linear");
    here.bad("train linear --data rows.csv", "ancestral fit linear");
    // Numbers alone are completed by the names of their columns.
    let plain: String = (0..60).map(|i| format!("{i},{}\n", 3 * i + i * i % 5)).collect();
    here.write("plain.csv", format!("x,y\n{plain}"));
    here.good("fit linear --data plain.csv --out plain");
    let classes: String = (0..60).map(|i| format!("{i},{}\n", i % 2)).collect();
    here.write("labels.csv", format!("x,label\n{classes}"));
    let named = "fit linear --data labels.csv --target label";
    here.bad(named, "read as the labels of classes: give it another name");
    here.write("few.csv", "x\n10\n20\n");
    here.good("sample plain --complete few.csv --mean --out mean.csv");
    let mean: Vec<f64> =
        cells(&here, "mean.csv").iter().skip(1).map(|row| row[1].parse().unwrap()).collect();
    assert!((mean[0] - 32.0).abs() < 1.0 && (mean[1] - 62.0).abs() < 1.0, "{mean:?}");
    here.good("sample plain --complete few.csv -n 3 --out drawn.csv");
    assert_eq!(cells(&here, "drawn.csv").len(), 7);
}
