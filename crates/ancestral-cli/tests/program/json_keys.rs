//! The keys of every command's `--json`, and the columns of the tables that commands write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ancestral_test_support::{
    JSON_KEYS, Program, assert_keys, assert_listed, copy_folder, data_dir_with, errors, listed,
};
use serde_json::{Value, json};

use crate::program;

/// The row that takes long, whose numbers a test of the library compares with the list.
const SLOW: &str = "explain elbo";

/// Runs commands in a folder and keeps what they print.
struct Said<'a> {
    program: &'a Program,
    /// By the row of the list.
    values: BTreeMap<&'static str, Vec<Value>>,
}

impl Said<'_> {
    /// Runs `command`, of which the words of `row` are the first, with `--json`.
    fn run(&mut self, row: &'static str, command: &str) {
        let output = self.program.run(&format!("{command} --json"));
        let errors = errors(&output);
        assert!(output.status.success(), "{command}: {errors}");
        // The progress of a training, in events.
        for line in errors.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(event["kind"].is_string(), "{command}: {line}");
        }
        let trains = ["train", "reproduce"].map(|word| command.starts_with(word));
        assert!(errors.is_empty() || trains.contains(&true), "{command}: {errors}");
        assert!(!errors.is_empty() || !trains[0], "{command} says nothing on its way");
        let value = serde_json::from_slice(&output.stdout).unwrap();
        self.values.entry(row).or_default().push(value);
    }
}

/// The first line of a file.
fn header(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().next().unwrap().split(',').map(str::to_owned).collect()
}

/// Names with `N` in the place of the numbers at their end.
fn numbered(names: Vec<String>) -> BTreeSet<String> {
    let digit = |c: char| c.is_ascii_digit();
    let one = |name: String| match name.ends_with(digit) {
        true => format!("{}N", name.trim_end_matches(digit)),
        false => name,
    };
    names.into_iter().map(one).collect()
}

/// Every folder of `reproduce gan-table` with what is kept of a run, so that nothing is trained.
fn kept_runs(folder: &Path) {
    let quality = json!({
        "network": "net", "n": 1, "n_reference": 1, "frechet_distance": 1.0,
        "kernel_distance": null, "kernel_stderr": null, "precision": 1.0, "recall": 1.0,
        "density": 1.0, "coverage": 1.0, "classifier_score": 1.0, "reference_score": 1.0,
        "class_agreement": null, "class_agreement_stderr": null, "code_agreement": null,
        "classes_found": 1, "seconds": 1.0,
    });
    let kept = json!({
        "command": "", "steps": 1, "critic_updates": null, "seconds": 1.0,
        "figures": [["best", quality]],
    });
    for entry in ancestral::Registry::standard().entries() {
        for data in ["mnist", "fashion-mnist"] {
            for seed in 0..3 {
                let run = folder.join(format!("{}-{data}-{seed}", entry.name));
                std::fs::create_dir_all(&run).unwrap();
                std::fs::write(run.join("quality.json"), kept.to_string()).unwrap();
            }
        }
    }
}

/// The indented names below a line of a help text.
fn names_below(help: &str, line: &str) -> BTreeSet<String> {
    let below = help.split(line).nth(1).unwrap().lines().skip(1);
    let names = below.take_while(|l| l.starts_with("  ")).filter_map(|l| {
        l.trim().trim_start_matches("- ").split([' ', ':']).next().map(str::to_owned)
    });
    names.collect()
}

#[test]
fn keys_and_columns_of_every_command_are_listed() {
    let program = program();
    let here = program.folder();
    let bits: String = (0..60).map(|i| format!("{},{},0\n", i % 2, i / 3 % 2)).collect();
    program.write("bits.csv", format!("a,b,c\n{bits}"));
    let reals: String = (0..40).map(|i| format!("{},{}.5\n", i % 7, i * 5 % 13)).collect();
    program.write("reals.csv", format!("a,b\n{reals}"));
    let labeled: String = (0..40).map(|i| format!("{},{}\n", i * 5 % 13, i % 2)).collect();
    program.write("labeled.csv", format!("a,label\n{labeled}"));
    std::fs::create_dir(here.join("images")).unwrap();
    for i in 0..8u8 {
        let image = ancestral_plot::Image::filled(8, 8, [30 * i; 3]);
        image.save_png(here.join(format!("images/{i}.png"))).unwrap();
    }
    program.write("few.csv", "a,b\n1,2\n1,2\n3,4\n");
    let mut said = Said { program: &program, values: BTreeMap::new() };
    let small = "--steps 2 --set sample_count=4 --set";
    said.run("train", &format!("train vae {small} latent_dims=[2] --set hidden=[[4]] --out vae"));
    said.run("train", &format!("train gan --data rings:8 {small} critic_hidden=[4] --out gan"));
    said.run("train", &format!("train features {small} channels=[4] --set dim=8 --out features"));
    let made = "train made --data bits.csv --set masks=3 --set hidden=[4] --out made";
    said.run("train", &format!("{made} {small} direct=true"));
    said.run("fit", "fit gaussian --data reals.csv --out gaussian");
    program.write("noted.csv", format!("# sites A and B\na,b\n{reals}"));
    said.run("fit", "fit gaussian --data noted.csv --out noted");
    said.run("fit, of a classifier", "fit logistic --data labeled.csv --out logistic");
    // A constant column is a note.
    let three: String =
        (0..40).map(|i| format!("{},{}.5,1,{}\n", i * 5 % 13, i * i % 7, i % 2)).collect();
    program.write("three.csv", format!("a,b,c,label\n{three}"));
    let of = "fit, of a density for each class";
    said.run(of, "fit qda --data three.csv --set reg_param=0.1 --out qda");
    let line = "fit linear --data three.csv --target b --plot residuals --out linear";
    said.run("fit linear", line);
    said.run("fit --counts", "fit bernoulli --counts 9/13");
    said.run("fit --counts", "fit categorical --counts 1,4,2");
    let asked = "--quantile 0.9 --above 3 --plot plots --out gamma";
    said.run("fit, of a family", &format!("fit gamma --data reals.csv --column b {asked}"));
    said.run("fit, of a family", "fit negative-binomial --counts 9,9,9 --out limit");
    said.run("fit, of a family", "fit zero-inflated-poisson --counts 9,3,5,2,1,1 --out zip");
    let several = "fit negative-binomial --data whole.csv --quantile 0.9 --above 3 --plot plots";
    program.write("whole.csv", "a,b\n".to_owned() + &"1,2\n2,0\n3,1\n2,5\n".repeat(9));
    said.run("fit, of a family and several columns", &format!("{several} --out several"));
    let several = several.replace("negative-binomial", "logistic-distribution");
    said.run("fit, of a family and several columns", &format!("{several} --out more"));
    said.run("fit auto", "fit auto --data whole.csv --column b --plot plots --out best");
    said.run("fit auto", "fit auto --data whole.csv");
    said.run("fit", "fit gmm --data reals.csv --set components=2 --out mixture");

    said.run("evaluate", "evaluate vae --samples 2 --limit 9");
    said.run("evaluate", "evaluate gan");
    said.run("evaluate", "evaluate gaussian");
    said.run("evaluate", "evaluate gaussian --data noted.csv");
    said.run("evaluate", "evaluate made --orderings 3");
    said.run("evaluate, of a classifier", "evaluate features");
    said.run("evaluate, of a classifier", "evaluate logistic");
    said.run("evaluate, of a classifier", "evaluate logistic --data labeled.csv");
    said.run("evaluate, of a density for each class", "evaluate qda");
    said.run("evaluate, of a density for each class", "evaluate qda --data three.csv");
    let pixels =
        "train pixel-cnn --set layers=1 --set hidden=2 --set head=2 --set conditional=true";
    program.good(&format!("{pixels} --steps 2 --set sample_count=0 --out pixels"));
    said.run("evaluate --bayes", "evaluate pixels --bayes");
    let near = "--features features --nearest near.png";
    said.run("evaluate --quality", &format!("evaluate vae --quality --samples-count 20 {near}"));
    let rows: String = (0..240).map(|i| format!("{}.5,{}\n", i * 7 % 23, i * i % 17)).collect();
    program.write("many.csv", format!("a,b\n{rows}"));
    program.good("fit gaussian --data many.csv --out many");
    said.run("evaluate --quality, without a network", "evaluate many --quality");
    said.run("evaluate --quality, of modes", "evaluate gan --quality --samples-count 20");
    let generated = format!("evaluate --generated images --gray --data digits {near}");
    said.run("evaluate --generated", &generated);

    said.run("sample", "sample vae -n 4 --out drawn.csv");
    said.run("sample", "sample gaussian -n 4 --out rows.csv");
    said.run("train", &format!("train nade {small} hidden=4 --out nade"));
    said.run("sample", "sample nade --frames frames.gif");
    said.run("evaluate", "evaluate nade --limit 9 --map map.png");
    said.run("score", "score gaussian --data reals.csv");
    said.run("score", "score nade --data digits --columns --out by-column.csv");
    let classes = "score logistic --data labeled.csv --out classes.csv";
    said.run("score, of a classifier", classes);
    let both = "score qda --data three.csv --out both.csv";
    said.run("score, of a density for each class", both);
    let classes = "classify qda --data three.csv --out predictions.csv --plot classes";
    said.run("classify", classes);
    said.run("pack", "pack vae --out packed");
    said.run("reconstruct", "reconstruct vae");
    said.run("encode", "encode vae --out codes.csv");
    said.run("interpolate", "interpolate vae");
    said.run("latent", "latent vae");

    said.run("explain ae-vs-vae", "explain ae-vs-vae --epochs 1");
    said.run("explain density", "explain density");
    said.run("explain saturation", "explain saturation");
    said.run("explain optimal-discriminator", "explain optimal-discriminator");
    said.run("explain transposed-convolution", "explain transposed-convolution");
    said.run("explain receptive-field", "explain receptive-field");
    said.run("explain color-chain", "explain color-chain --epochs 1");
    said.run("explain likelihood", "explain likelihood");

    said.run("explain rules", "explain rules");
    said.run("explain kmeans", "explain kmeans");
    said.run("explain dbscan", "explain dbscan");
    said.run("explain som", "explain som");
    said.run("explain clustering", "explain clustering");
    said.run("explain supervised", "explain supervised");

    for (row, method) in [
        ("cluster kmeans", "kmeans --set n_clusters=2"),
        ("cluster dbscan", "dbscan --set eps=2"),
        ("cluster hdbscan", "hdbscan --set min_cluster_size=4"),
        ("cluster som", "som --set rows=2 --set columns=2"),
        ("cluster gmm", "gmm --set components=2"),
    ] {
        let name = row.rsplit(' ').next().unwrap();
        let command = format!("cluster {method} --data labeled.csv --out c-{name}");
        said.run(row, &format!("{command} --labels {name}.csv"));
    }
    let several = "cluster kmeans --set n_clusters=2..4 --data whole.csv --out several-clusters";
    said.run("cluster kmeans", several);
    let batches =
        "cluster kmeans --set n_clusters=2 --set batch_size=4 --data whole.csv --out batches";
    said.run("cluster kmeans", batches);
    // Fewer distinct rows than clusters is a note.
    said.run("cluster kmeans", "cluster kmeans --data few.csv --set n_clusters=3 --out few");
    said.run("cluster eps", "cluster eps --data labeled.csv");
    let assign = "cluster assign c-kmeans --data labeled.csv --labels assigned.csv";
    said.run("cluster assign", assign);

    said.run("rules --sets", "rules --data bits.csv --sets --min-support 0.2");
    said.run("rules --rules", "rules --data bits.csv --min-support 0.2 --graph graph.png");

    said.run("models", "models");
    said.run("models NAME", "models vae");
    said.run("runs", "runs .");
    said.run("data list", "data list");
    said.run("env", "env");
    said.run("data show", "data show digits");
    said.run("data show", "data show reals.csv");
    said.run("data show", "data show labeled.csv");
    said.run("data show", "data show bits.csv");
    // What is there already is not fetched.
    if let Some(data) = data_dir_with("mnist") {
        copy_folder(&data.join("mnist"), &here.join("mnist"));
        said.run("data fetch", "data fetch mnist --data-dir .");
    }

    said.run("reproduce", "reproduce");
    for set in ["mushrooms", "dna"] {
        let folder = here.join("density_estimation").join(set);
        std::fs::create_dir_all(&folder).unwrap();
        for split in ["train", "valid", "test"] {
            let path = folder.join(format!("{set}.{split}.data"));
            std::fs::write(path, "0,1,1\n1,0,1\n1,1,0\n").unwrap();
        }
    }
    said.run("reproduce ROW", "reproduce fvsbn-mushrooms --data-dir .");
    // An ensemble.
    said.run("reproduce ROW", "reproduce deep-nade-dna --data-dir .");
    kept_runs(&here.join("kept"));
    said.run("reproduce gan-table", "reproduce gan-table --out kept");

    let rows: BTreeSet<String> = listed(JSON_KEYS).into_iter().map(|row| row.of).collect();
    let mut known: BTreeSet<String> = said.values.keys().map(|&row| row.to_owned()).collect();
    known.insert(SLOW.to_owned());
    // Skipped where its data is not there.
    known.insert("data fetch".to_owned());
    assert_listed("commands with --json", &known, &rows);
    for (row, values) in &said.values {
        assert_keys(row, &values.iter().collect::<Vec<_>>());
    }

    let columns = listed("Columns of tables");
    for (file, of) in [
        ("drawn.csv", "sample, of images"),
        ("scores.csv", "score"),
        ("by-column.csv", "score --columns"),
        ("classes.csv", "score, of a classifier"),
        ("both.csv", "score, of a density for each class"),
        ("predictions.csv", "classify"),
        ("codes.csv", "encode"),
        ("kmeans.csv", "cluster kmeans"),
        ("dbscan.csv", "cluster dbscan"),
        ("hdbscan.csv", "cluster hdbscan"),
        ("som.csv", "cluster som"),
        ("gmm.csv", "cluster gmm"),
        ("assigned.csv", "cluster assign"),
        ("sets.csv", "rules --sets"),
        ("rules.csv", "rules --rules"),
    ] {
        let row = columns.iter().find(|row| row.of == of).unwrap();
        assert_listed(of, &numbered(header(&here.join(file))), &row.words());
    }
    assert_eq!(header(&here.join("rows.csv")), ["a", "b"]);
    assert_eq!(columns.len(), 15);
}

/// A command that is new has a row, or no `--json`.
#[test]
fn no_command_is_left_out() {
    let program = program();
    let help = |command: &str| program.good(&format!("{command} --help"));
    let rows = listed(JSON_KEYS);
    let has = |command: &str| {
        let begins = |of: &str| of == command || of.starts_with(&format!("{command} "));
        rows.iter().any(|row| begins(&row.of))
    };
    let mut commands: Vec<String> = Vec::new();
    for name in names_below(&help(""), "Commands:") {
        match name.as_str() {
            "help" => {}
            "data" | "cluster" => {
                let inner = names_below(&help(&name), "Commands:");
                let inner = inner.into_iter().filter(|inner| inner != "help");
                commands.extend(inner.map(|inner| format!("{name} {inner}")));
            }
            _ => commands.push(name),
        }
    }
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        let text = help(command);
        assert_eq!(text.contains("--json"), has(command), "{command}");
    }
    let topics: Vec<String> = help("explain")
        .split("Possible values:")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next().map(str::to_owned))
        .collect();
    assert!(topics.len() > 5, "{topics:?}");
    for topic in topics {
        assert!(has(&format!("explain {topic}")), "{topic}");
    }
}

/// What goes wrong is one object with `--json`, of wrong usage too.
#[test]
fn errors_are_an_object() {
    let program = program();
    for (line, hint) in [
        ("sample nowhere", true),
        ("train vea", false),
        ("sample", true),
        ("train vae --epochs x", true),
    ] {
        let output = program.run(&format!("{line} --json"));
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
        let said: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(said["error"].is_string() && said.as_object().unwrap().len() == 2, "{said}");
        assert_eq!(said["hint"].is_string(), hint, "{said}");
    }
}
