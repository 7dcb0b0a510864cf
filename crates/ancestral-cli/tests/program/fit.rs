//! `fit`: distributions by maximum likelihood.

use ancestral_test_support::{Program, errors};
use serde_json::Value;

use crate::program;

#[test]
fn estimates_and_a_density_without_bits_are_printed() {
    let here = program();
    let said = here.good("fit gaussian --data digits");
    assert!(said.contains("test negative log-density") && !said.contains("bits"), "{said}");
    assert!(said.contains("variance[2] = ") && said.contains("covariance[2, 1] = "), "{said}");
    assert!(said.contains("runs/gaussian-digits-1"), "{said}");
    here.bad("fit bernoulli --counts 3/2", "no more heads than tosses");
}

#[test]
fn the_command_with_its_fold_is_kept() {
    let here = program();
    let row = |i: u32| format!("{},{}.5,{}\n", i % 4 + 1, i * 7 % 11, i * 5 % 13);
    let rows: String = (0..40).map(row).collect();
    here.write("rows.csv", format!("fold,x,y\n{rows}"));
    here.good("fit gaussian --data rows.csv --fold 4 --out g");
    let config = here.read("g/config.toml");
    assert!(config.contains("fold = 4") && config.contains("rows.csv --fold 4"), "{config}");
    here.bad("fit gaussian --data rows.csv --fold x", "--fold");
}

fn json(here: &Program, command: &str) -> Value {
    serde_json::from_str(&here.good(&format!("{command} --json"))).unwrap()
}

fn column(name: &str, values: impl IntoIterator<Item = f64>) -> String {
    let rows = values.into_iter().map(|x| format!("{x}\n"));
    format!("{name}\n{}", rows.collect::<String>())
}

#[test]
fn a_family_has_its_textbook_maximum_and_is_a_run() {
    let here = program();
    here.write("t.csv", column("wait", [1.0, 2.0, 4.0, 5.0, 8.0, 0.5, 0.25, 3.0, 6.0, 2.5]));
    let found =
        json(&here, "fit exponential --data t.csv --all-train --above 3 --quantile 0.5 --out e");
    let scale = found["estimates"][0]["value"].as_f64().unwrap();
    assert!((scale - 3.225).abs() < 1e-12, "{found}");
    let stderr = found["estimates"][0]["stderr"].as_f64().unwrap();
    assert!((stderr - 3.225 / 10f64.sqrt()).abs() < 1e-9, "{found}");
    assert_eq!((&found["n"], &found["converged"]), (&10.0.into(), &true.into()));
    let likelihood = -10.0 * (3.225f64.ln() + 1.0);
    assert!((found["log_likelihood"].as_f64().unwrap() - likelihood).abs() < 1e-10);
    assert!((found["aic"].as_f64().unwrap() - (2.0 - 2.0 * likelihood)).abs() < 1e-9);
    let above = &found["above"][0];
    assert!((above["value"].as_f64().unwrap() - (-3.0f64 / 3.225).exp()).abs() < 1e-12);
    assert!(above["interval"][0].as_f64() < above["value"].as_f64(), "{above}");
    let median = found["quantiles"][0]["value"].as_f64().unwrap();
    assert!((median - 3.225 * 2f64.ln()).abs() < 1e-12);
    assert!(found["test"].is_null() && found["boundary"].is_null());
    // The run is read like any other.
    here.good("sample e -n 3 --out s.csv");
    let drawn = here.read("s.csv");
    assert!(
        drawn.starts_with("wait\n")
            && drawn.lines().skip(1).all(|x| x.parse::<f64>().unwrap() >= 0.0)
    );
    here.good("score e --data t.csv");
    let first: f64 =
        here.read("scores.csv").lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!((first - (-3.225f64.ln() - 1.0 / 3.225)).abs() < 1e-9, "{first}");
    let evaluated = json(&here, "evaluate e --split train");
    let nll = evaluated["nll_nats"].as_f64().unwrap();
    assert!((nll + likelihood / 10.0).abs() < 1e-9, "{evaluated}");
    here.bad("evaluate e", "no test split");
    // The list of runs has its value, and that of a fit with a test split.
    let listed = json(&here, "runs e");
    assert!((listed[0]["train_nll_nats"].as_f64().unwrap() - nll).abs() < 1e-12, "{listed}");
    assert_eq!((&listed[0]["train_n"], &listed[0]["test_n"]), (&10.into(), &Value::Null));
    assert!(here.good("runs e").contains("  train 2.171 (n = 10)"));
    let fit = json(&here, "fit gaussian --data digits --out g");
    let listed = json(&here, "runs g");
    assert_eq!(listed[0]["test_nll_nats"], fit["test"]["nll_nats"], "{fit}");
    here.good("pack g --out packed");
    assert_eq!(json(&here, "runs packed")[0]["test_nll_nats"], listed[0]["test_nll_nats"]);
}

#[test]
fn columns_weights_counts_and_parameters_are_chosen() {
    let here = program();
    let text = "name,x,seen,class\na,1,3,0\nb,2,0,1\nc,5,1,0\nd,3,2,1\n";
    here.write("w.csv", text);
    let weighted = "fit poisson --data w.csv --column x --weights seen --all-train --out w";
    let found = json(&here, weighted);
    assert_eq!(found["n"], 6.0);
    assert!((found["estimates"][0]["value"].as_f64().unwrap() - 14.0 / 6.0).abs() < 1e-12);
    assert!(found["train"].is_null(), "{found}");
    // The same as counts of 0, 1, 2, ….
    let counts = json(&here, "fit poisson --counts 0,3,0,2,0,1 --out c");
    let likelihood = |found: &Value| found["log_likelihood"].as_f64().unwrap();
    assert!((likelihood(&found) - likelihood(&counts)).abs() < 1e-12);
    // A column of classes is one like others, where it is asked for.
    let classes = json(&here, "fit normal --data w.csv --column class --all-train --out n");
    assert_eq!(classes["estimates"][0]["value"], 0.5);
    let fixed = json(&here, "fit gamma --data w.csv --column x --all-train --fix shape=1 --out g");
    assert_eq!(
        (&fixed["estimates"][0]["fixed"], &fixed["estimates"][0]["value"]),
        (&true.into(), &1.0.into())
    );
    assert_eq!(fixed["likelihood_ratio_tests"][0]["restriction"], "shape = 1");
    assert!((fixed["estimates"][1]["value"].as_f64().unwrap() - 2.75).abs() < 1e-9);
    let trials = json(&here, "fit binomial --trials 5 --data w.csv --column x --all-train --out b");
    assert!((trials["estimates"][0]["value"].as_f64().unwrap() - 11.0 / 20.0).abs() < 1e-12);
    let die = json(&here, "fit categorical --counts 1,4,2,0,3,2");
    assert!((die["estimates"][1]["value"].as_f64().unwrap() - 4.0 / 12.0).abs() < 1e-12);
    let coin = json(&here, "fit bernoulli --counts 900/1300");
    assert!((coin["estimates"][0]["value"].as_f64().unwrap() - 0.6923).abs() < 5e-5);
    assert_eq!((&coin["n"], &coin["converged"]), (&1300.0.into(), &true.into()));
}

#[test]
fn censored_rows_have_their_closed_form() {
    let here = program();
    // Failures at 1, 2, 4; two tests ended at 5: the scale is the time on test by the failures.
    here.write("c.csv", "from,to\n1,1\n2,2\n4,4\n5,\n5,inf\n");
    let found = json(&here, "fit exponential --data c.csv --lower from --upper to --out c");
    assert!((found["estimates"][0]["value"].as_f64().unwrap() - 17.0 / 3.0).abs() < 1e-9);
    assert_eq!(found["n"], 5.0);
    assert!(found["goodness_of_fit"].is_null() && found["train"].is_null());
    here.good("sample c -n 3 --out s.csv");
    // Its own rows are scored as they were fitted.
    let own = json(&here, "evaluate c --split train");
    let mean = found["log_likelihood"].as_f64().unwrap() / 5.0;
    assert!((own["nll_nats"].as_f64().unwrap() + mean).abs() < 1e-9, "{own}");
    here.good("score c --data c.csv --out own.csv");
    let last: f64 =
        here.read("own.csv").lines().nth(5).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!((last + 5.0 / (17.0 / 3.0)).abs() < 1e-9, "{last}");
    here.bad("fit exponential --data c.csv --lower from --upper to --out c", "already exists");
    here.bad("fit auto --data c.csv --lower from --upper to --out c", "already exists");
    here.write("reversed.csv", "from,to\n2,1\n3,4\n");
    here.bad(
        "fit normal --data reversed.csv --lower from --upper to",
        "1 row has a lower end above",
    );
    here.bad("fit normal --data c.csv --lower from", "--upper");
    here.bad("fit normal --data c.csv --lower from --upper til", "there is no column 'til'");
}

#[test]
fn all_families_are_ranked() {
    let here = program();
    let waits: Vec<f64> = (1..200).map(|i| -(f64::from(i) / 200.0).ln() * 3.0).collect();
    here.write("t.csv", column("t", waits));
    let found = json(&here, "fit auto --data t.csv --all-train --out best");
    let first = &found["columns"][0];
    let densities = first["densities"].as_array().unwrap();
    assert!(densities.len() > 15, "{found}");
    let aic = |fit: &Value| fit["aic"].as_f64().unwrap();
    assert!(densities.windows(2).all(|pair| aic(&pair[0]) <= aic(&pair[1])));
    assert_eq!(densities[0]["family"], "exponential");
    assert!(first["masses"].as_array().unwrap().is_empty());
    let reason = |family: &str| {
        let refused = first["refused"].as_array().unwrap();
        let found = refused.iter().find(|r| r["family"] == family);
        found.map_or(String::new(), |r| r["reason"].as_str().unwrap().to_owned())
    };
    assert!(reason("poisson").contains("not whole numbers"), "{found}");
    assert!(reason("beta").contains("outside the support"), "{found}");
    assert!(here.read("best/config.toml").contains("exponential"));
    here.write("k.csv", column("k", (0..60).map(|i| f64::from(i * i % 7))));
    let said = here.good("fit auto --data k.csv");
    let (densities, masses) =
        (said.find("densities, by AIC"), said.find("masses on whole numbers"));
    assert!(densities.is_some() && masses > densities, "{said}");
}

#[test]
fn data_without_a_maximum_is_an_error_that_says_why() {
    let here = program();
    here.write("constant.csv", column("x", [2.0; 30]));
    here.write("zeros.csv", column("x", [0.0, 1.5, 2.5, 0.0].repeat(9)));
    here.write("negative.csv", column("x", [-1.0, 1.5, 2.5, 3.0].repeat(9)));
    here.write("one.csv", column("x", [2.5]));
    here.write("infinite.csv", "x\n1\ninf\n2\n");
    here.write("missing.csv", "x,y\n1,1\n,2\n2,3\n");
    here.write("words.csv", "x,word\n1,a\n2,b\n3,a\n");
    let bad = |command: &str, says: &str| here.bad(&format!("fit {command} --all-train"), says);
    for family in ["normal", "gamma", "student-t", "gumbel", "weibull", "gev"] {
        bad(&format!("{family} --data constant.csv"), "all 30 rows are 2");
    }
    bad("gamma --data zeros.csv", "18 rows are 0, on the edge of the open support of gamma");
    bad("gamma --data negative.csv", "9 rows are outside the support of gamma");
    bad("poisson --data zeros.csv", "18 rows are not whole numbers");
    bad("beta --data negative.csv", "outside the support of beta");
    bad("normal --data one.csv", "the only row is 2.5");
    bad("normal --data infinite.csv", "'inf'; expected a finite number");
    bad("normal --data missing.csv --column x", "no value; expected a finite number");
    bad("normal --data words.csv --column word", "column 'word' holds words");
    bad("normal --data words.csv --column wrd", "there is no column 'wrd'; did you mean 'word'?");
    bad("norml --data one.csv", "did you mean 'normal'?");
    bad("gamma --data zeros.csv --fix shap=2", "unknown parameter 'shap'");
    bad("gamma --data negative.csv --fix shape=-1", "setting 'shape' is -1");
    bad("gamma --data zeros.csv --fix shape", "write NAME=VALUE");
    bad("normal --data zeros.csv --quantile 2", "give a probability from 0 to 1");
    bad("poisson --data negative.csv --weights x --column x", "weights are negative");
    here.bad("fit gamma --counts 1,2", "gamma is a density");
    here.bad("fit gaussian --data zeros.csv --fix mean=1", "--fix is for univariate families");
    here.bad("fit normal --data one.csv", "1 example");
    // What is degenerate, and has a right answer.
    let one = json(&here, "fit exponential --data one.csv --all-train --out e");
    assert!((one["estimates"][0]["value"].as_f64().unwrap() - 2.5).abs() < 1e-14, "{one}");
    let zeros = json(&here, "fit poisson --counts 5 --out z");
    assert_eq!(zeros["estimates"][0]["value"], 0.0);
    let none = json(&here, "fit negative-binomial --counts 9 --out m");
    assert_eq!(
        (&none["boundary"]["parameter"], &none["estimates"][1]["value"]),
        (&"mean".into(), &0.0.into())
    );
    assert!(none["notes"][0].as_str().unwrap().contains("every size is as likely"), "{none}");
    let few = json(&here, "fit negative-binomial --counts 9,9,9 --out f");
    assert_eq!(few["boundary"]["family"], "poisson");
    assert_eq!(
        (&few["boundary"]["value"], &few["estimates"][0]["stderr"]),
        (&"inf".into(), &Value::Null)
    );
    here.good("sample f -n 5 --out f.csv");
    // Missing cells of other columns do not matter.
    here.good("fit normal --data missing.csv --column y --all-train");
}

#[test]
fn all_columns_that_cannot_be_fitted_are_named() {
    let here = program();
    let rows: String = (1..40).map(|i| format!("{i},{},7,{}\n", i % 5, i * i % 17 + 1)).collect();
    here.write("t.csv", format!("a,b,c,d\n{rows}"));
    let said = here.bad("fit gamma --data t.csv --all-train --out g", "column 'b': 7 rows are 0");
    assert!(said.contains("column 'c': ") && said.contains("other 2 columns"), "{said}");
    assert!(!here.path("g").exists());
    here.good("fit gamma --data t.csv --all-train --column d --no-gof --out g");
    // A parameter that no column has is told once.
    let said = here.bad("fit gamma --data t.csv --all-train --fix width=2", "'width'");
    assert!(!said.contains("column 'a'"), "{said}");
}

#[test]
fn angles_are_taken_on_the_circle() {
    let here = program();
    // Around 3 rad, given in [0, 2π): those above π are negative angles.
    // Logistic quantiles: near a narrow von Mises distribution, with longer tails.
    let angle = |i: i32| {
        let p = (f64::from(i) + 0.5) / 300.0;
        3.0 + 0.3 * (p / (1.0 - p)).ln() / 1.702
    };
    let angles: Vec<f64> = (0..300).map(angle).collect();
    here.write("a.csv", column("a", angles));
    let command = "fit von-mises --data a.csv --all-train --above 4 --above 0 --quantile 0.5";
    let found = json(&here, &format!("{command} --out a"));
    let location = found["estimates"][0]["value"].as_f64().unwrap();
    assert!((location - 3.0).abs() < 0.01, "{found}");
    assert!(found["notes"][0].as_str().unwrap().contains("rows are outside of (−π, π]"), "{found}");
    let distance = found["goodness_of_fit"]["kolmogorov_smirnov"].as_f64().unwrap();
    assert!((0.005..0.05).contains(&distance), "{found}");
    assert_eq!(found["above"][0]["value"], 0.0);
    assert!(found["above"][1]["value"].as_f64().unwrap() > 0.5);
    let middle = found["quantiles"][0]["value"].as_f64().unwrap();
    assert!((-3.2..=3.2).contains(&middle), "{found}");
}

#[test]
fn an_origin_is_given_or_estimated() {
    let here = program();
    // Quantiles of a Weibull distribution of shape 2.5 and scale 4, from 10 on.
    let p = |i: u32| (f64::from(i) + 0.5) / 200.0;
    let rows = (0..200).map(|i| 10.0 + 4.0 * (-(-p(i)).ln_1p()).powf(0.4));
    here.write("t.csv", column("t", rows.collect::<Vec<_>>()));
    let weibull = "fit weibull --data t.csv --all-train --quantile 0.5";
    let given = json(&here, &format!("{weibull} --set location=10 --out given"));
    assert!((given["estimates"][0]["value"].as_f64().unwrap() - 2.5).abs() < 0.1, "{given}");
    let free = json(&here, &format!("{weibull} --free-location --out free"));
    let location = &free["estimates"][2];
    assert_eq!(location["name"], "location");
    let (value, error) =
        (location["value"].as_f64().unwrap(), location["stderr"].as_f64().unwrap());
    assert!((value - 10.0).abs() < 2.0 * error, "{free}");
    let likelihood = |of: &Value| of["log_likelihood"].as_f64().unwrap();
    assert!(likelihood(&free) >= likelihood(&given) - 1e-9);
    let aic = free["aic"].as_f64().unwrap();
    assert!((aic - (6.0 - 2.0 * likelihood(&free))).abs() < 1e-9, "{free}");
    let evaluated = json(&here, "evaluate free --split train");
    let nll = evaluated["nll_nats"].as_f64().unwrap();
    assert!((nll + likelihood(&free) / 200.0).abs() < 1e-9, "{evaluated}");
    here.good("sample free -n 20 --out s.csv");
    let drawn = here.read("s.csv");
    assert!(drawn.lines().skip(1).all(|x| x.parse::<f64>().unwrap() > value));
    here.bad("fit normal --data t.csv --all-train --free-location", "begins at 0");
    here.bad("fit auto --data t.csv --free-location", "for one family");
    here.bad("fit gaussian --data t.csv --free-location", "--free-location is for univariate");
}

#[test]
fn rows_that_are_read_in_parts_have_the_fit_of_rows_in_memory() {
    let here = program();
    let row = |i: usize| {
        let u = ((i as f64 + 0.5) * 0.618_033_988_749_895).fract();
        format!("{:.9},{},w{}\n", -u.ln() * (1.2 + (i as f64).sin()), i * i % 7, i % 3)
    };
    let rows: String = (0..20_000).map(row).collect();
    here.write("t.csv", format!("time,count,kind\n{rows}"));
    let fit = |what: &str, more: &str| {
        json(&here, &format!("fit {what} --data t.csv --all-train {more}"))
    };
    for what in [
        "normal --column time",
        "gamma --column time",
        "weibull --column time",
        "poisson --column count",
    ] {
        let held = fit(what, "");
        let parts = fit(what, "--in-parts");
        for key in [
            "estimates",
            "log_likelihood",
            "n",
            "aic",
            "bic",
            "converged",
            "notes",
            "likelihood_ratio_tests",
        ] {
            assert_eq!(held[key], parts[key], "{what} {key}");
        }
        // 20,000 rows are few enough for all to be compared.
        assert_eq!(held["goodness_of_fit"], parts["goodness_of_fit"], "{what}");
        assert!(parts["train"].is_null());
    }
    // Columns of words are left out of the fit of all families, and refused else.
    let both = fit("auto", "--in-parts");
    assert_eq!(both["columns"].as_array().unwrap().len(), 2);
    for (line, words) in [
        ("fit normal --data t.csv --in-parts", "column 'kind' holds words"),
        ("fit normal --data t.csv --column time --in-parts --gof", "which are not held"),
    ] {
        let output = here.run(line);
        assert!(!output.status.success() && errors(&output).contains(words), "{}", errors(&output));
    }
    // Few rows are fitted all, too.
    let first: Vec<&str> = rows.lines().take(30).collect();
    here.write("few.csv", format!("time,count,kind\n{}\n", first.join("\n")));
    let few = json(&here, "fit gamma --data few.csv --column time --in-parts");
    assert_eq!((&few["n"], few["train"].is_null()), (&30.0.into(), true), "{few}");
    // p-values of few rows by a bootstrap, unless they are declined.
    let line = "fit gamma --data few.csv --column time --all-train";
    assert!(here.good(line).contains("p by 499 samples"), "{line}");
    let without = here.good(&format!("{line} --no-gof"));
    assert!(without.contains("Kolmogorov") && !without.contains("p by"), "{without}");
    here.bad(&format!("{line} --gof --no-gof"), "cannot be used with");
    // The run knows its data again.
    here.good("fit gamma --data t.csv --column time --in-parts --out g --plot p");
    let own = json(&here, "evaluate g --split train");
    let mean = fit("gamma --column time", "")["log_likelihood"].as_f64().unwrap() / 2e4;
    assert!((own["nll_nats"].as_f64().unwrap() + mean).abs() < 1e-9, "{own}");
    here.good("score g --data t.csv --out s.csv");
    assert!(here.path("p/density.png").exists() && !here.path("p/likelihood.png").exists());
    // Nothing is left of the numbers.
    let left = std::fs::read_dir(here.path("")).unwrap();
    assert!(left.flatten().all(|e| !e.file_name().to_string_lossy().starts_with(".ancestral")));
}
