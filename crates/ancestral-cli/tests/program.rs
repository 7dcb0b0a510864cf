//! The program as a user runs it: good input, bad input, kills and resumes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod keys;

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Output};

use ancestral_test_support::{BLACK, Image, WHITE, assert_hash, assert_lines, data_dir_with};
use keys::assert_keys;

fn ancestral(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ancestral")).current_dir(folder).args(args).output().unwrap()
}

fn good(folder: &Path, args: &[&str]) -> String {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn bad(folder: &Path, args: &[&str], code: i32, words: &str) {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    assert!(errors.contains(words), "{args:?}: {errors}");
    assert!(!errors.contains("panicked") && !errors.contains("backtrace"), "{args:?}: {errors}");
}

/// Asserts the size of an image that trained weights drew, and about which share of it is ink and
/// what its mean is.
fn looks(
    path: &Path,
    size: (usize, usize),
    background: [u8; 3],
    ink: Range<f64>,
    mean: Range<f64>,
) {
    println!("{}", path.display());
    let image = Image::open(path);
    assert_eq!(image.size(), size);
    image.assert_looks(background, ink, mean);
}

#[test]
fn the_commands_of_the_readme_work() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["train", "vae", "--epochs", "3"]);
    assert!(said.contains("test negative log-likelihood"), "{said}");
    assert!(said.trim_end().ends_with("runs/vae-digits-1/samples.png"), "{said}");
    let run = "runs/vae-digits-1";
    good(here, &["sample", run, "-n", "100", "--out", "more.png"]);
    let said = good(here, &["evaluate", run, "--samples", "20", "--json"]);
    for key in ["nll_nats", "nll_stderr", "mc_stderr", "bits_per_dim", "\"kind\":\"bound\""] {
        assert!(said.contains(key), "{said}");
    }
    let test = ["score", run, "--data", "digits", "--split", "test", "--samples", "5"];
    good(here, &[&test[..], &["--out", "scores.csv"]].concat());
    let scores = std::fs::read_to_string(here.join("scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 301);
    good(here, &["reconstruct", run]);
    good(here, &["interpolate", run, "--from", "0", "--to", "5"]);
    good(here, &["latent", run]);
    good(here, &["latent", run, "--out", "codes.npy"]);
    assert_eq!(here.join("codes.npy").metadata().unwrap().len(), 128 + 300 * 20 * 4);
    let line = ["train", "vae", "--epochs", "1", "--set", "latent_dims=[1]", "--out", "line"];
    good(here, &line);
    good(here, &["latent", "line", "--out", "line.svg"]);
    assert_lines(
        &here.join("line.svg"),
        &["latent codes of digits", "code", "examples", "9"],
        &[30; 10],
    );
    let said = good(here, &["fit", "bernoulli", "--counts", "900/1300"]);
    assert!(said.contains("0.6923 ± 0.0128"), "{said}");
    assert_hash(&here.join("likelihood.png"), "2fbffe5b5ab56216");
    good(here, &["models", "vae"]);
    good(here, &["data", "list"]);
    let listed = good(here, &["runs", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["run"], &listed[0]["validation"]),
        (&run.into(), &"negative_elbo".into())
    );
    assert!(listed[0]["test_nll_nats"].as_f64().unwrap() > 50.0, "{listed}");
    // A finished run that is resumed keeps one test figure.
    good(here, &["train", "--resume", run]);
    let events = std::fs::read_to_string(here.join(run).join("events.jsonl")).unwrap();
    assert_eq!(events.matches("\"kind\":\"test\"").count(), 1, "{events}");
    for (file, size, background, ink, mean) in [
        ("runs/vae-digits-1/samples.png", (1180, 608), BLACK, 0.71..0.84, 115.0..135.0),
        ("more.png", (728, 728), BLACK, 0.64..0.77, 110.0..127.0),
        ("reconstructions.png", (1160, 208), BLACK, 0.67..0.78, 138.0..154.0),
        ("interpolation.png", (872, 80), BLACK, 0.61..0.73, 105.0..121.0),
        ("latent.png", (800, 520), WHITE, 0.04..0.08, 244.0..251.0),
    ] {
        looks(&here.join(file), size, background, ink, mean);
    }
}

#[test]
fn adversarial_networks_are_trained_drawn_and_measured() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["train", "gan", "--data", "rings:8", "--steps", "200"]);
    let run = "runs/gan-rings-8-1";
    assert!(said.contains("best validation chamfer_distance"), "{said}");
    let drawn = here.join(run);
    // One an epoch, and the last of them eight times more.
    let frames = Image::frames(&drawn.join("training.gif"));
    assert!(frames.len() == 18 && frames[0] != frames[9] && frames[9] == frames[17]);
    for image in [&Image::open(&drawn.join("samples.png")), &frames[9]] {
        // The tick labels of the color bar are of some width.
        let (width, height) = image.size();
        assert!(height == 520 && (690..=730).contains(&width), "{width}×{height}");
        image.assert_looks(WHITE, 0.46..0.55, 195.0..225.0);
    }
    let words = ["gan on rings:8", "epoch", "loss", "generator loss", "critic loss"];
    assert_lines(&drawn.join("curves.svg"), &words, &[10, 10]);
    let words = ["gan on rings:8", "epoch", "Chamfer distance, validation split"];
    assert_lines(&drawn.join("validation.svg"), &words, &[10]);
    let said = good(here, &["evaluate", run, "--quality", "--samples-count", "500"]);
    assert!(said.contains("of 8 modes of rings:8") && said.contains("best weights"), "{said}");
    let quality = ["evaluate", run, "--quality"];
    bad(here, &[&quality[..], &["--nearest", "near.png"]].concat(), 2, "modes that they find");
    bad(here, &[&quality[..], &["--mean"]].concat(), 2, "without noise");
    bad(here, &["sample", run, "--mean", "--out", "means.csv"], 2, "without noise");
    assert!(good(here, &["evaluate", run]).contains("--quality measures its samples"));
    // Columns of different units are drawn on scales of their own, under their names.
    let units: String =
        (0..40).map(|i| format!("{},{}\n", 1000 * i, 0.001 * f64::from(i % 7))).collect();
    std::fs::write(here.join("units.csv"), format!("price,weight\n{units}")).unwrap();
    let said = good(here, &["train", "gan", "--data", "units.csv", "--steps", "5"]);
    assert!(said.contains("nothing was validated"), "{said}");
    let small = ["--steps", "20", "--set", "network=mlp", "--set", "critic_steps=2"];
    good(here, &[&["train", "wgan-gp"], &small[..]].concat());
    assert!(good(here, &["models", "wgan-gp"]).contains("wasserstein"));
    good(here, &[&["train", "cgan", "--out", "cgan"], &small[..]].concat());
    good(here, &["sample", "cgan", "--class", "3", "-n", "4", "--out", "threes.png"]);
    looks(&here.join("threes.png"), (152, 152), BLACK, 0.9..1.1, 130.0..160.0);
    bad(here, &["sample", "cgan", "--class", "12", "-n", "4"], 2, "classes 0 to 9");
    // Classes have the names that the data gives them.
    let moons = ["--data", "moons", "--steps", "20", "--set", "sample_count=0", "--out", "moons"];
    good(here, &[&["train", "cgan"], &moons[..]].concat());
    let named = ["sample", "moons", "-n", "3", "--out"];
    good(here, &[&named[..], &["lower.csv", "--class", "lower"]].concat());
    good(here, &[&named[..], &["second.csv", "--class", "1"]].concat());
    let read = |file: &str| std::fs::read_to_string(here.join(file)).unwrap();
    assert_eq!(read("lower.csv"), read("second.csv"));
    bad(here, &[&named[..], &["a.csv", "--class", "left"]].concat(), 2, "a name: upper, lower");
    let of_class = ["sample", run, "--class", "1", "-n", "4", "--out", "points.csv"];
    bad(here, &of_class, 2, "knows no classes");
    // A critic that has won is said to have.
    let hard = ["train", "ns-gan", "--steps", "100", "--out", "won", "--set", "network=mlp"];
    let rates = ["--set", "learning_rate=1e-6", "--set", "critic_rate=1000"];
    good(here, &[&hard[..], &rates].concat());
    let events = std::fs::read_to_string(here.join("won/events.jsonl")).unwrap();
    assert!(events.contains("\"warning\"") && events.contains("of the time"), "{events}");
    bad(here, &["train", "dcgan", "--data", "rings:8"], 2, "needs images");
    bad(here, &["train", "gan", "--batch-size", "1"], 2, "normalized together");
    bad(here, &["train", "gan", "--set", "sample_count=100000"], 2, "sample_count");
    bad(here, &["train", "gan", "--steps", "-5"], 2, "invalid value '-5'");
    // A budget in steps is not cut by the default one in epochs.
    let steps = ["--set", "steps=150", "--set", "batch_size=5000", "--out", "steps"];
    let quick = ["--set", "critic_hidden=[4]", "--set", "validate_every=1000", "--set"];
    let ring = ["train", "gan", "--data", "rings:8"];
    let said = good(here, &[&ring[..], &steps, &quick, &["sample_count=0"]].concat());
    assert!(said.contains("trained 150.0 epochs"), "{said}");
}

#[test]
fn an_autoencoder_draws_what_it_gives_back_and_has_no_density() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["train", "ae", "--epochs", "2", "--preset", "convolutional"]);
    assert!(said.contains("reconstructions.png"), "{said}");
    let drawn = here.join("runs/ae-digits-1/reconstructions.png");
    looks(&drawn, (1160, 208), BLACK, 0.71..0.82, 140.0..156.0);
    let said = good(here, &["evaluate", "runs/ae-digits-1"]);
    assert!(said.contains("no log-probability"), "{said}");
    good(here, &["encode", "runs/ae-digits-1"]);
    bad(here, &["sample", "runs/ae-digits-1"], 2, "ae");
}

#[test]
fn the_zoo_draws_and_scores_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo");
    let mut seen = 0;
    for entry in std::fs::read_dir(&zoo).unwrap() {
        let model = entry.unwrap().path();
        // Unfinished run folders may be next to the models.
        if !model.is_dir() || model.ends_with("unfinished") {
            continue;
        }
        let path = model.to_str().unwrap();
        // A classifier draws nothing.
        if path.contains("features-") {
            bad(here, &["sample", path], 2, "cannot draw");
            let weights = model.join("model.safetensors").metadata().unwrap().len();
            assert!(weights < 1_000_000, "{path}: {weights} bytes");
            continue;
        }
        good(here, &["sample", path, "-n", "9", "--out", "drawn.png"]);
        let (side, ink, mean) = if path.ends_with("-digits") {
            (224, 0.54..0.66, 104.0..123.0)
        } else {
            (176, 0.12..0.30, 32.0..58.0)
        };
        looks(&here.join("drawn.png"), (side, side), BLACK, ink, mean);
        let weights = model.join("model.safetensors").metadata().unwrap().len();
        // A wide layer is worth its size; half of it is masked and left out.
        let most = if path.ends_with("made-mnist") { 16_000_000 } else { 4_000_000 };
        assert!(weights < most, "{path}: {weights} bytes");
        seen += 1;
    }
    assert!(seen >= 7);
    let digits = zoo.join("vae-digits");
    let args = ["evaluate", digits.to_str().unwrap(), "--samples", "5000", "--quiet"];
    let nll: f64 = good(here, &args).trim().parse().unwrap();
    assert!((nll - 85.46).abs() < 0.05, "{nll}");
}

#[test]
fn explanations_hold() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["explain", "elbo", "--epochs", "20", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_keys("explain elbo", &[&found]);
    let rows = found["figures"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let figure = |name: &str| row[name].as_f64().unwrap();
        let gap = figure("log_p") - figure("elbo") - figure("kl");
        assert!(gap.abs() < 0.002 + 5.0 * figure("elbo_stderr"), "{row}");
        assert!(figure("kl") > 0.0, "{row}");
    }
    let said = good(here, &["explain", "density"]);
    assert!(said.contains("height at 0 is 3.989, the area is 1.0000"), "{said}");
    good(here, &["explain", "ae-vs-vae", "--epochs", "2", "--out", "both"]);
    let said = good(here, &["explain", "saturation", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_keys("explain saturation", &[&found]);
    let [.., sure] = &found["figures"]["reached"].as_array().unwrap()[..] else { panic!("{said}") };
    // Another processor rounds otherwise, and a hard example more or less is told right.
    assert!(sure["share"].as_f64().unwrap() >= 0.99, "{sure}");
    assert!(sure["ratio"].as_f64().unwrap() < 0.3, "{sure}");
    let measured = found["figures"]["measured"].as_array().unwrap();
    let change = |norm: &str| {
        let value = |i: usize| measured[i][norm].as_f64().unwrap();
        let mut late: Vec<f64> = (measured.len() - 31..measured.len()).map(value).collect();
        late.sort_by(f64::total_cmp);
        late[15] / value(0)
    };
    assert!(change("saturating") < 0.1 && change("non_saturating") > 5.0, "{said}");
    let said = good(here, &["explain", "optimal-discriminator", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_keys("explain optimal-discriminator", &[&found]);
    let figure = |name: &str| found["figures"][name].as_f64().unwrap();
    assert!(figure("mean") < 0.01 && figure("largest") < 0.04, "{said}");
    assert!((0.0..0.003).contains(&(figure("optimum") - figure("value"))), "{said}");
    let said = good(here, &["explain", "transposed-convolution", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    for row in found["figures"].as_array().unwrap() {
        let figure = |name: &str| row[name].as_f64().unwrap();
        assert_eq!(figure("output"), 3.0 * figure("stride") + figure("filter"), "{row}");
        assert!(figure("difference") < 1e-12 && figure("adjoint_difference").abs() < 1e-12);
        let even = figure("filter") % figure("stride") == 0.0;
        assert_eq!(even, figure("fewest_terms") == figure("most_terms"), "{row}");
    }
    for (file, hash) in [
        ("explain-density/density.png", "4e8627c2a7ae2108"),
        ("explain-saturation/losses.png", "caae614db3538885"),
        ("explain-transposed-convolution/transposed.png", "16542f2073288e54"),
    ] {
        assert_hash(&here.join(file), hash);
    }
    let plot = (800, 520);
    for (file, size, background, ink, mean) in [
        ("both/decoded.png", (1468, 752), BLACK, 0.65..0.78, 110.0..126.0),
        ("both/codes-ae.png", plot, WHITE, 0.03..0.07, 245.0..252.0),
        ("both/codes-vae.png", plot, WHITE, 0.04..0.08, 244.0..251.0),
        ("explain-elbo/gap.png", plot, WHITE, 0.15..0.4, 190.0..232.0),
        ("explain-elbo/posterior.png", (972, 504), WHITE, 0.92..0.97, 60.0..75.0),
        ("explain-saturation/saturation.png", plot, WHITE, 0.03..0.07, 245.0..252.0),
        ("explain-optimal-discriminator/discriminator.png", plot, WHITE, 0.09..0.13, 244.0..250.0),
    ] {
        looks(&here.join(file), size, background, ink, mean);
    }
    bad(here, &["explain", "elbo"], 2, "exists already");
    bad(here, &["explain", "elb"], 2, "elbo");
    bad(here, &["explain", "density", "--seed", "1"], 2, "density has no use for it");
    bad(here, &["explain", "saturation", "--epochs", "1"], 2, "'epochs' is 1; saturation");
    bad(here, &["explain", "optimal-discriminator", "--data", "mnist"], 2, "is mnist; optimal");
    bad(here, &["explain", "elbo", "--epochs", "0", "--out", "none"], 2, "'epochs' is 0");
}

#[test]
fn toy_data_needs_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let listed: serde_json::Value =
        serde_json::from_str(&good(here, &["data", "list", "--json"])).unwrap();
    for name in ["rings:8", "grid:25", "swiss-roll", "moons"] {
        let set = listed.as_array().unwrap().iter().find(|set| set["name"] == name).unwrap();
        assert_eq!(set["present"], true);
    }
    for (name, file, hash) in
        [("rings:5", "rings.png", "2770e27bad8e3412"), ("digits", "digits.png", "905cf1eabf5637e2")]
    {
        good(here, &["data", "show", name, "--out", file]);
        assert_hash(&here.join(file), hash);
    }
    bad(here, &["data", "show", "grid:24"], 2, "grid:25");
    bad(here, &["data", "show", "ring:8"], 2, "did you mean 'rings:8'?");
    bad(here, &["data", "fetch", "moons"], 2, "needs no files");
    // A run finds its data again, wherever it was made.
    good(here, &["fit", "gaussian", "--data", "rings:5"]);
    good(here, &["evaluate", "runs/gaussian-rings-5-1"]);
}

#[test]
fn a_fold_is_kept_for_testing_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let row = |i: u32| format!("{},{}.5,{}\n", i % 4 + 1, i * 7 % 11, i * 5 % 13);
    let rows: String = (0..40).map(row).collect();
    std::fs::write(here.join("rows.csv"), format!("fold,x,y\n{rows}")).unwrap();
    good(here, &["fit", "gaussian", "--data", "rows.csv", "--fold", "4", "--out", "g"]);
    let config = std::fs::read_to_string(here.join("g/config.toml")).unwrap();
    assert!(config.contains("fold = 4") && config.contains("rows.csv --fold 4"), "{config}");
    assert!(config.contains("columns = [\"x\", \"y\"]"), "{config}");
    let n = |split: &str| {
        let said = good(here, &["evaluate", "g", "--split", split, "--json"]);
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["n"].as_u64()
    };
    assert_eq!([n("train"), n("valid"), n("test")], [Some(20), Some(10), Some(10)]);
    let said = good(here, &["score", "g", "--data", "rows.csv", "--out", "scores.csv"]);
    assert!(said.contains("40 rows of rows.csv, mean log-density in raw units"), "{said}");
    let scores = std::fs::read_to_string(here.join("scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 41);
    let vae = ["train", "vae", "--data", "rows.csv", "--fold", "2", "--steps", "2", "--all-train"];
    let said = good(here, &[&vae[..], &["--set", "sample_count=0", "--out", "v"]].concat());
    assert!(said.contains("30 train, 10 valid, 10 test"), "{said}");
    let said = good(here, &["evaluate", "v", "--samples", "2"]);
    assert!(said.contains("test negative log-density (raw units)"), "{said}");
    assert!(said.contains("\nstandardized by the training split"), "{said}");
    let said = good(here, &["evaluate", "v", "--samples", "2", "--data", "rows.csv", "--json"]);
    assert!(said.contains("\"nll_standardised\":null"), "{said}");
    bad(here, &["train", "vae", "--data", "rows.csv", "--fold", "5"], 2, "folds are 1, 2, 3, 4");
    bad(here, &["train", "vae", "--data", "digits", "--fold", "1"], 2, "has no folds");
    bad(here, &["fit", "gaussian", "--data", "rows.csv", "--fold", "x"], 2, "--fold");
}

#[test]
fn a_packed_run_is_small_and_still_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let train = ["train", "vae", "--epochs", "2", "--out", "run", "--quiet"];
    good(here, &[&train[..], &["--set", "average_decay=0.9"]].concat());
    let said = good(here, &["pack", "run", "--half", "--out", "half"]);
    assert!(said.contains("MB") && said.trim_end().ends_with("wrote half"), "{said}");
    good(here, &["pack", "run", "--out", "full"]);
    good(here, &["pack", "run", "--weights", "raw", "--out", "raw"]);
    let read = |path: &str| std::fs::read(here.join(path)).unwrap();
    assert!(read("full/model.safetensors") == read("run/model.safetensors"));
    assert!(read("raw/model.safetensors") != read("run/model.safetensors"));
    let (half, full) = (read("half/model.safetensors").len(), read("full/model.safetensors").len());
    assert!(half * 10 < full * 6, "{half} of {full} bytes");
    let mut files: Vec<_> =
        std::fs::read_dir(here.join("half")).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["config.toml", "model.safetensors"]);
    let nll = |run: &str| -> f64 {
        let said = good(here, &["evaluate", run, "--samples", "10", "--quiet"]);
        said.trim().parse().unwrap()
    };
    assert_eq!(nll("full"), nll("run"));
    assert!((nll("half") - nll("run")).abs() < 0.05, "{} {}", nll("half"), nll("run"));
    good(here, &["sample", "half", "-n", "4"]);
    assert!(good(here, &["runs", "half", "full"]).contains("half"));
    bad(here, &["pack", "run", "--out", "half"], 2, "exists already");
    bad(here, &["pack", "half", "--weights", "last", "--out", "other"], 2, "no checkpoint");
    bad(here, &["train", "--resume", "half"], 2, "no checkpoint");
    std::fs::write(here.join("far.csv"), "x,y\n1e6,1\n-3e6,5\n2e6,2\n4e6,7\n").unwrap();
    good(here, &["fit", "gaussian", "--data", "far.csv", "--out", "far"]);
    bad(here, &["pack", "far", "--half", "--out", "other"], 2, "tensor 'model.factor'");
    bad(here, &["pack", "far", "--half", "--out", "other"], 2, "65504; pack it without --half");
    assert!(!here.join("other").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_no_panic() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let run = |args: &[&str], stdout: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_ancestral"))
            .current_dir(here)
            .args(args)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let train = ["train", "vae", "--epochs", "1", "--set", "sample_count=0"];
    for args in [&["models", "vae"][..], &["completions", "fish"], &["data", "list"], &train] {
        // A reader that has gone ends nothing: what goes to files is written all the same.
        let mut child = run(args, Stdio::piped());
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
        // A full disk is said.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = run(args, full.into()).wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
        assert!(errors.contains("standard output"), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
    }
    assert!(here.join("runs/vae-digits-1/model.safetensors").exists());
}

#[test]
fn json_is_one_object_and_quiet_is_one_path() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let object = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let begun = good(here, &["train", "vae", "--epochs", "1", "--out", "run", "--json"]);
    assert_eq!(object(&begun)["finished"], true);
    let resumed = good(here, &["train", "--resume", "run", "--json"]);
    assert_eq!(object(&resumed)["step"], object(&begun)["step"]);
    assert_eq!(good(here, &["train", "--resume", "run", "--quiet"]).lines().count(), 1);
}

#[test]
fn a_run_that_has_ended_continues_with_a_larger_budget() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let object = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let train = "train nade --set hidden=8 --set schedule=linear --skip-test --json";
    let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let run = |text: &str| {
        let words = words(text);
        object(&good(here, &words.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let short = run(&format!("{train} --epochs 2 --out run"));
    assert_eq!((&short["epoch"], &short["test"]), (&2.0.into(), &serde_json::Value::Null));
    bad(here, &["train", "--resume", "run", "--epochs", "2"], 2, "larger budget");
    let long = run("train --resume run --epochs 3 --json");
    assert_eq!(long["epoch"], 3.0);
    assert!(long["test"]["nll_nats"].as_f64().unwrap() > 0.0);
    let config = std::fs::read_to_string(here.join("run/config.toml")).unwrap();
    assert!(config.contains("&& ancestral train --resume run --epochs 3"), "{config}");
    // Under a constant rate the two ways are the same run.
    let constant = "train nade --set hidden=8 --skip-test --quiet";
    for command in [
        format!("{constant} --epochs 2 --out parts"),
        "train --resume parts --epochs 3 --quiet".into(),
        format!("{constant} --epochs 3 --out whole"),
    ] {
        let words = words(&command);
        good(here, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let weights = |run: &str| std::fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert!(weights("parts") == weights("whole"));
}

#[test]
fn metrics_name_the_binarization_that_was_used() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 2, i / 3 % 2)).collect();
    std::fs::write(here.join("bits.csv"), format!("a,b\n{rows}")).unwrap();
    let train = ["train", "vae", "--data", "bits.csv", "--binarize", "dynamic", "--epochs", "1"];
    let said = good(here, &[&train[..], &["--set", "sample_count=0", "--out", "run"]].concat());
    assert_eq!(said.matches("binarization none").count(), 3, "{said}");
    assert!(said.contains("best validation negative_elbo"), "{said}");
    let said = good(here, &["evaluate", "run", "--json", "--samples", "3"]);
    assert!(said.contains("\"binarize\":\"none\""), "{said}");
    // A path without a slash is found again from anywhere.
    good(Path::new("/"), &["evaluate", here.join("run").to_str().unwrap(), "--samples", "3"]);
    let listed = good(here, &["runs", "."]);
    assert!(listed.contains("negative_elbo") && listed.contains("(none)"), "{listed}");
    let said = good(here, &["score", "run", "--data", "bits.csv", "--samples", "3"]);
    assert!(said.contains("60 rows of bits.csv"), "{said}");
    assert!(said.contains("(bound, K = 3; binarization none)"), "{said}");
}

#[test]
fn a_density_has_no_bits() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["fit", "gaussian", "--data", "digits"]);
    assert!(said.contains("test negative log-density") && !said.contains("bits"), "{said}");
    assert!(said.contains("variance[2] = ") && said.contains("covariance[2, 1] = "), "{said}");
    let said = good(here, &["evaluate", "runs/gaussian-digits-1", "--json"]);
    assert!(said.contains("\"bits_per_dim\":null"), "{said}");
    assert!(said.contains("\"measure\":\"density\""), "{said}");
}

#[test]
fn a_run_is_repeated_from_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let flags = ["--seed", "3", "--all-train", "--binarize", "static", "--epochs", "2"];
    let quick = ["--quiet", "--set", "sample_count=0", "--set", "latent_dims=[3]", "--out", "one"];
    good(here, &[&["train", "vae"], &flags[..], &quick].concat());
    let file = ["--config", "one/config.toml"];
    good(here, &[&["train", "vae", "--quiet", "--out", "two"], &file[..]].concat());
    let bytes = |run: &str| std::fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert!(bytes("one") == bytes("two"), "the weights differ");
    let more = ["train", "vae", "--quiet", "--out", "three", "--seed", "4"];
    good(here, &[&more[..], &file[..]].concat());
    assert!(bytes("one") != bytes("three"), "the seed was not taken");
    bad(here, &[&["train", "gan"], &file[..]].concat(), 2, "of a vae and gan was asked for");
    for (text, words) in [
        ("[modle]\nbeta = 2", "did you mean 'model'?"),
        ("epochs = 3", "the settings are: "),
        ("[data]\nnam = 'mnist'", "did you mean 'name'?"),
        ("[train]\nlearning_rat = 1", "did you mean 'learning_rate'?"),
        ("train = 3", "[train]"),
        ("seed = 'x'", "seed"),
        ("[data]\nname = 'nowhere.csv'", "nowhere.csv"),
    ] {
        std::fs::write(here.join("wrong.toml"), text).unwrap();
        bad(here, &["train", "vae", "--config", "wrong.toml"], 2, words);
    }
}

#[test]
fn a_model_scores_its_own_samples() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    good(here, &["train", "vae", "--epochs", "1", "--set", "sample_count=0", "--out", "run"]);
    for file in ["drawn.csv", "drawn.npy"] {
        good(here, &["sample", "run", "-n", "7", "--out", file]);
        let said = good(here, &["score", "run", "--data", file, "--samples", "3"]);
        assert!(said.contains("7 rows of drawn"), "{said}");
    }
    let text = std::fs::read_to_string(here.join("drawn.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let wrong = lines[3].replacen(|c: char| c.is_ascii_digit(), "17.5", 1);
    lines[3] = &wrong;
    std::fs::write(here.join("wrong.csv"), lines.join("\n")).unwrap();
    bad(here, &["score", "run", "--data", "wrong.csv"], 2, "row 2, column 'x0': 17.5");
}

#[test]
#[cfg(unix)]
fn a_run_that_is_interrupted_ends_with_130_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let child = Command::new(env!("CARGO_BIN_EXE_ancestral"))
        .current_dir(here)
        .args(["train", "vae", "--epochs", "100000", "--set", "checkpoint_seconds=0"])
        .args(["--out", "run"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !here.join("run/curves.svg").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("ancestral train --resume run"), "{said}");
}

#[test]
fn the_commands_of_the_docs_work() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::create_dir(here.join("docs")).unwrap();
    for file in std::fs::read_dir(&docs).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, here.join("docs").join(file.file_name().unwrap())).unwrap();
    }
    let text = std::fs::read_to_string(docs.join("odd-rows.md")).unwrap();
    let commands: Vec<&str> = text.lines().filter(|l| l.starts_with("ancestral ")).collect();
    assert_eq!(commands.len(), 4);
    let said: Vec<String> = commands
        .iter()
        .map(|command| good(here, &command.split_whitespace().skip(1).collect::<Vec<_>>()))
        .collect();
    // The broken rows are the least probable ones, as the page says.
    let lowest = said[1].lines().find(|l| l.starts_with("least probable")).unwrap();
    let mut rows: Vec<&str> = lowest.split("row ").skip(1).map(|r| &r[..2]).collect();
    rows.truncate(4);
    rows.sort_unstable();
    assert_eq!(rows, ["13", "17", "3 ", "8 "], "{lowest}");
    let read = |path: &str| std::fs::read_to_string(here.join(path)).unwrap();
    let (new, filled) = (read("docs/new-measurements.csv"), read("filled.csv"));
    let cells = |text: &str| -> Vec<Vec<f64>> {
        let rows = text.lines().skip(1);
        rows.map(|l| l.split(',').map(|c| c.parse().unwrap()).collect()).collect()
    };
    for (i, (given, got)) in cells(&new).iter().zip(cells(&filled)).enumerate() {
        let kept =
            given.iter().zip(&got).enumerate().all(|(c, (a, b))| c == 1 || (a - b).abs() < 1e-4);
        assert!(kept && given[1] != got[1], "row {i}: {given:?} {got:?}");
        // A height in inches is filled with one in centimeters.
        assert!(i != 3 || (140.0..200.0).contains(&got[1]), "{got:?}");
    }
}

/// Rows of six binary columns in which the last three repeat the first three.
fn mirrored(path: &Path) {
    let row = |i: u32| {
        let bits: Vec<String> = (0..6).map(|d| (i >> (d % 3) & 1).to_string()).collect();
        bits.join(",") + "\n"
    };
    std::fs::write(path, (0..200).map(|i| row(i * 7 % 8)).collect::<String>()).unwrap();
}

#[test]
fn given_parts_are_completed() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    mirrored(&here.join("rows.data"));
    let flags = ["--data", "rows.data", "--epochs", "150", "--set", "learning_rate=0.02"];
    for (model, out) in [("nade", "n"), ("deep-nade", "d"), ("made", "m"), ("fvsbn", "f")] {
        let small = match model {
            "nade" => "hidden=16",
            "fvsbn" => "order=raster",
            _ => "hidden=[32]",
        };
        good(
            here,
            &[&["train", model, "--out", out, "--set", small, "--quiet"], &flags[..]].concat(),
        );
    }
    let rows = |path: &str| -> Vec<String> {
        let text = std::fs::read_to_string(here.join(path)).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    };
    // The first entries decide the others, which are drawn nearly always as they should be.
    std::fs::write(here.join("first.data"), "1,0,1\n0,1,1\n").unwrap();
    for run in ["n", "d", "m", "f"] {
        let args = ["sample", run, "--complete", "first.data", "-n", "10", "--out", "c.csv"];
        good(here, &[&args[..], &["--temperature", "0.5"]].concat());
        let drawn = rows("c.csv");
        let right = |row: &str, i: usize| row == ["1,0,1,1,0,1", "0,1,1,0,1,1"][i / 10];
        let count = drawn.iter().enumerate().filter(|(i, row)| right(row, *i)).count();
        assert!(drawn.len() == 20 && count >= 18, "{run}: {drawn:?}");
    }
    // The last entries decide the first, for a model that can be given any.
    std::fs::write(here.join("last.data"), "0,0,0,1,0,1\n0,0,0,0,1,1\n").unwrap();
    std::fs::write(here.join("mask.data"), "0,0,0,1,1,1\n").unwrap();
    let last = ["--complete", "last.data", "--mask", "mask.data", "--out", "c.csv"];
    good(here, &[&["sample", "d", "--temperature", "0.5"], &last[..]].concat());
    assert_eq!(rows("c.csv"), ["1,0,1,1,0,1", "0,1,1,0,1,1"]);
    bad(here, &[&["sample", "n"], &last[..]].concat(), 2, "deep-nade completes any part");
    std::fs::write(here.join("wrong.data"), "0,0,1\n").unwrap();
    let wrong = ["sample", "d", "--complete", "last.data", "--out", "c.csv", "--mask"];
    bad(here, &[&wrong[..], &["wrong.data"]].concat(), 2, "expected 6 (6) in one row");
    std::fs::write(here.join("wrong.data"), "0,0,1,2,0,0\n").unwrap();
    bad(here, &[&wrong[..], &["wrong.data"]].concat(), 2, "1 marks a given entry");
    bad(here, &[&wrong[..], &["top"]].concat(), 2, "no images");
    bad(here, &["sample", "d", "--complete", "last.data", "--out", "c.csv"], 2, "--mask");
    bad(here, &["sample", "d", "--mask", "mask.data"], 2, "--complete");
    good(here, &["train", "vae", "--steps", "1", "--quiet", "--out", "v"]);
    bad(here, &["sample", "v", "--complete", "digits", "--mask", "top"], 2, "cannot complete");
}

#[test]
fn ensembles_are_averaged_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    mirrored(&here.join("rows.data"));
    let train = |model: &str, set: &str, out: &str| {
        let args = ["train", model, "--data", "rows.data", "--steps", "20", "--quiet"];
        good(here, &[&args[..], &["--set", set, "--out", out]].concat());
    };
    train("deep-nade", "hidden=[8]", "d");
    train("made", "masks=3", "m");
    train("nade", "hidden=8", "n");
    for (run, n) in [("d", 5), ("m", 3)] {
        let count = n.to_string();
        let said = good(here, &["evaluate", run, "--orderings", &count, "--json"]);
        let found: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&found["kind"], &found["members"]), (&"exact".into(), &n.into()), "{said}");
        let curve = found["curve"].as_array().unwrap();
        let at = |i: usize| curve[i]["nll_nats"].as_f64().unwrap();
        // A mean of probabilities is at least as good as the mean of log-probabilities.
        assert!(curve.len() >= 3 && at(curve.len() - 1) == found["nll_nats"].as_f64().unwrap());
        let scores = ["score", run, "--data", "rows.data", "--split", "test", "--out", "s.csv"];
        good(here, &[&scores[..], &["--orderings", &count]].concat());
        let text = std::fs::read_to_string(here.join("s.csv")).unwrap();
        let values: Vec<f64> =
            text.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect();
        let mean = -values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - at(curve.len() - 1)).abs() < 1e-9, "{run}: {mean} {said}");
    }
    bad(here, &["evaluate", "m", "--orderings", "4"], 2, "it has 3 masks");
    bad(here, &["evaluate", "n", "--orderings", "2"], 2, "one density");
    bad(here, &["evaluate", "d", "--orderings", "0"], 2, "orderings");
}

#[test]
fn samples_are_measured_by_the_features_of_a_named_network() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let object = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let small = ["--set", "channels=[8]", "--set", "dim=16", "--epochs", "15", "--quiet"];
    good(
        here,
        &[&["train", "features", "--out", "net"], &small[..], &["--set", "learning_rate=5e-3"]]
            .concat(),
    );
    let accuracy: f64 = good(here, &["evaluate", "net", "--quiet"]).trim().parse().unwrap();
    assert!(accuracy > 0.85, "{accuracy}");
    assert!(good(here, &["evaluate", "net"]).contains("test accuracy"));
    bad(here, &["evaluate", "net", "--quality"], 2, "cannot draw");
    let train = ["train", "vae", "--epochs", "20", "--set", "conditional=true", "--quiet"];
    good(here, &[&train[..], &["--out", "vae"]].concat());
    let quality = ["evaluate", "vae", "--quality", "--samples-count", "300", "--features", "net"];
    let said = good(here, &[&quality[..], &["--nearest", "near.png"]].concat());
    for words in [
        "Fréchet distance (net)",
        "kernel distance (net)",
        "precision (net, k = 3)",
        "coverage (net, k = 5)",
        "classifier score (net)",
        "class agreement (net)",
        "300 samples of vae (vae) compared with 300 examples of digits, test split",
        "200 valid examples",
        "nearest training example",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    looks(&here.join("near.png"), (1160, 352), BLACK, 0.6..0.7, 122.0..139.0);
    let found = object(&good(here, &[&quality[..], &["--json"]].concat()));
    let of = |rows: &serde_json::Value, name: &str| rows[name].as_f64().unwrap();
    let (samples, itself) = (&found["samples"][0], &found["data_itself"]);
    assert_eq!((of(samples, "n"), of(samples, "n_reference")), (300.0, 300.0));
    assert!(of(samples, "frechet_distance") > of(itself, "frechet_distance"), "{found}");
    assert!(of(samples, "class_agreement") > 0.8, "{found}");
    assert_eq!(found["network"], "net");
    // Beside validation, test data stays unread.
    let valid = object(&good(here, &[&quality[..], &["--json", "--split", "valid"]].concat()));
    assert_eq!(
        (&valid["split"], &valid["data_itself"]),
        (&"valid".into(), &serde_json::Value::Null)
    );
    // The same bits whatever the number of threads.
    let one = object(&good(here, &[&quality[..], &["--json", "--threads", "1"]].concat()));
    assert_eq!(samples["frechet_distance"], one["samples"][0]["frechet_distance"]);
    assert_eq!(samples["kernel_distance"], one["samples"][0]["kernel_distance"]);
    // Means of bits are compared with gray images, as samples of the model of gray levels are.
    let bits = ["train", "vae", "--epochs", "20", "--binarize", "dynamic", "--quiet"];
    good(here, &[&bits[..], &["--out", "bits"]].concat());
    let means = ["evaluate", "bits", "--quality", "--samples-count", "300", "--features", "net"];
    let drawn = object(&good(here, &[&means[..], &["--json"]].concat()));
    let means = [&means[..], &["--mean"]].concat();
    let shown = good(here, &means);
    assert!(shown.contains("300 means of the last conditional of bits (vae)"), "{shown}");
    let means = object(&good(here, &[&means[..], &["--json"]].concat()));
    assert_eq!((&drawn["binarize"], &means["binarize"]), (&"dynamic".into(), &"none".into()));
    assert_eq!(means["data_itself"]["frechet_distance"], itself["frechet_distance"]);
    assert_ne!(means["data_itself"], drawn["data_itself"]);
    assert!(of(&means["samples"][0], "frechet_distance") > of(itself, "frechet_distance"));
    bad(here, &["evaluate", "bits", "--mean"], 2, "--quality");
    bad(here, &["evaluate", "vae", "--features", "net"], 2, "--quality");
    bad(here, &[&quality[..], &["--nearest", "near.svg"]].concat(), 2, ".png");
    bad(here, &["evaluate", "vae", "--quality", "--samples-count", "5"], 2, "at least 6");
    // The zoo's network is found by the name of the data.
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/features-digits");
    std::fs::create_dir_all(here.join("zoo/features-digits")).unwrap();
    for file in ["config.toml", "model.safetensors"] {
        std::fs::copy(zoo.join(file), here.join("zoo/features-digits").join(file)).unwrap();
    }
    let by_zoo = good(here, &["evaluate", "vae", "--quality", "--samples-count", "300"]);
    assert!(by_zoo.contains("Fréchet distance (features-digits)"), "{by_zoo}");
    let by_vae = ["evaluate", "vae", "--quality", "--features", "vae"];
    bad(here, &by_vae, 2, "has no features");
    bad(here, &by_vae, 2, "`ancestral train features`");
    std::fs::write(here.join("rows.csv"), "a,b\n1.5,2\n0.1,3\n0.2,3\n1,2\n").unwrap();
    bad(here, &["train", "features", "--data", "rows.csv"], 2, "no labels");
    good(here, &["fit", "gaussian", "--data", "rows.csv", "--out", "g"]);
    bad(here, &["evaluate", "g", "--quality"], 2, "no network has features");
    let by_net = ["evaluate", "g", "--quality", "--features", "net"];
    bad(here, &by_net, 2, "was trained on 1×8×8");
    bad(here, &by_net, 2, "of the same kind with `ancestral train features`");
}

#[test]
fn images_of_a_folder_are_compared_with_data() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let small = ["--set", "channels=[8]", "--set", "dim=16", "--epochs", "3", "--quiet"];
    good(here, &[&["train", "features", "--out", "net"], &small[..]].concat());
    // Images of one gray value each, of some size, and the first of them larger if asked.
    let images = |folder: &str, n: usize, side: usize, color: bool| {
        std::fs::create_dir_all(here.join(folder)).unwrap();
        for i in 0..n {
            let gray = (i * 37 % 256) as u8;
            let pixel = if color { [gray, 255 - gray, 7] } else { [gray; 3] };
            let image = ancestral_plot::Image::filled(side, side, pixel);
            image.save_png(here.join(folder).join(format!("{i}.png"))).unwrap();
        }
    };
    let measure = |folder: &'static str| {
        ["evaluate", "--generated", folder, "--data", "digits", "--features", "net"]
    };
    images("good", 30, 8, false);
    let said = good(here, &[&measure("good")[..], &["--grey", "--nearest", "n.png"]].concat());
    assert!(said.contains("30 images of good compared with 300 examples of digits, test split"));
    assert!(said.contains("Fréchet distance (net)"), "{said}");
    // The nearest by pixels are the same for every network.
    assert_hash(&here.join("n.png"), "3fd1e38b723077bb");
    let said = good(here, &[&measure("good")[..], &["--gray", "--json"]].concat());
    assert!(serde_json::from_str::<serde_json::Value>(&said).unwrap()["quality"]["n"] == 30);
    // A color image is no gray one.
    images("color", 30, 8, true);
    bad(
        here,
        &measure("color"),
        2,
        "3×8×8 (convert them to grayscale) and those of digits are 1×8×8",
    );
    images("large", 30, 9, false);
    bad(
        here,
        &[&measure("large")[..], &["--grey"]].concat(),
        2,
        "are 1×9×9 and those of digits are 1×8×8",
    );
    images("mixed", 9, 9, false);
    images("mixed", 5, 8, false);
    bad(here, &[&measure("mixed")[..], &["--grey"]].concat(), 2, "9×9 pixels");
    let other = ["evaluate", "--generated", "large", "--data", "large", "--grey"];
    bad(here, &other, 2, "it has no labels to train one on");
    bad(here, &[&other[..], &["--features", "net"]].concat(), 2, "trained on 1×8×8");
    images("few", 5, 8, false);
    bad(here, &[&measure("few")[..], &["--grey"]].concat(), 2, "5 images");
    bad(here, &measure("nowhere"), 2, "no such folder of images");
    bad(here, &["evaluate", "--generated", "good"], 2, "--data");
    bad(here, &["evaluate"], 2, "RUN");
    std::fs::create_dir(here.join("empty")).unwrap();
    bad(here, &measure("empty"), 2, "no PNG or JPEG");
}

#[test]
fn published_rows_are_listed_and_their_data_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["reproduce"]);
    assert!(said.contains("nade-mnist") && said.contains("88.33"), "{said}");
    let empty = ["--data-dir", "."];
    bad(here, &[&["reproduce", "nade-adult"], &empty[..]].concat(), 2, "looked in");
    bad(here, &["reproduce", "nade-adul"], 2, "did you mean 'nade-adult'?");
    assert!(!here.join("runs").exists());
}

#[test]
fn a_published_row_is_reproduced_from_start_to_end() {
    let Some(data) = data_dir_with("density_estimation/mushrooms") else { return };
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let args = ["reproduce", "fvsbn-mushrooms", "--data-dir", data.to_str().unwrap(), "--json"];
    let said = good(here, &args);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    let figure = |name: &str| found[name].as_f64().unwrap();
    assert!((figure("obtained") - figure("published")).abs() < 0.5, "{said}");
    // The run is there, and going on with it changes nothing.
    let again: serde_json::Value = serde_json::from_str(&good(here, &args)).unwrap();
    assert_eq!(again["obtained"], found["obtained"]);
}

#[test]
fn wrong_input_is_named_and_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    bad(here, &["train", "vea"], 2, "did you mean 'vae'?");
    bad(here, &["train", "vae", "--set", "latent_dimz=3"], 2, "did you mean 'latent_dims'?");
    bad(here, &["train", "vae", "--set", "beta=-1"], 2, "setting 'beta' is -1");
    bad(here, &["train", "vae", "--data", "nowhere.csv"], 2, "nowhere.csv");
    bad(here, &["train", "vae", "--preset", "best"], 2, "burda-1l");
    bad(here, &["train", "vae", "--time", "soon"], 2, "90s");
    bad(here, &["train", "vae", "--device", "gpu"], 2, "cpu");
    bad(here, &["train", "vae", "--set", "model.learning_rate=1"], 2, "train.learning_rate");
    bad(here, &["train", "vae", "--set", "modle.beta=1"], 2, "settings and train");
    bad(here, &["train", "vae", "--threads", "3000"], 2, "at most");
    bad(here, &["train", "gaussian"], 2, "ancestral fit gaussian");
    bad(here, &["train", "rnade"], 2, "models that take this data: nade,");
    bad(here, &["train", "nade", "--set", "hidden=0"], 2, "setting 'hidden' is 0");
    std::fs::write(here.join("reals.csv"), "a,b\n1.5,2\n0.1,3\n0.2,3\n1,2\n").unwrap();
    bad(here, &["train", "nade", "--data", "reals.csv"], 2, "models that take this data: rnade,");
    bad(here, &["train", "rnade", "--data", "reals.csv", "--set", "components=0"], 2, "components");
    bad(here, &["train", "cgan", "--data", "reals.csv"], 2, "labels of at least 2 classes");
    bad(here, &["train", "dcgan", "--data", "reals.csv"], 2, "needs images");
    bad(here, &["train", "wgan-gp", "--set", "critic_norm=batch"], 2, "choose layer");
    bad(here, &["train", "vae", "--set", "likelihood=bernoulli"], 2, "binarize it: dynamic");
    bad(here, &["sample", "nowhere"], 2, "does not exist");
    bad(here, &["sample", "nowhere", "--out", "a.svg"], 2, "must end in .png, .npy or .csv");
    let folder = ["--data-dir", "."];
    let known = "download it with `ancestral data fetch mnist`, or name the folder that holds \
                 'mnist' with --data-dir or ANCESTRAL_DATA";
    bad(here, &[&["train", "vae", "--data", "mnist"], &folder[..]].concat(), 2, known);
    let other = "looked in ./omniglot; name the folder";
    bad(here, &[&["data", "show", "omniglot"], &folder[..]].concat(), 2, other);
    let moons = ["fit", "gaussian", "--data", "moons", "--binarize", "static"];
    bad(here, &moons, 2, "no levels to binarize; use --binarize none");
    std::fs::create_dir(here.join("images")).unwrap();
    for side in [9, 7] {
        let image = ancestral_plot::Image::filled(side, side, [0; 3]);
        image.save_png(here.join(format!("images/{side}.png"))).unwrap();
    }
    bad(here, &["data", "show", "images"], 2, "7×7 as in the first; bring all to one size");
    bad(here, &["evaluate", "."], 2, "not a run folder");
    bad(here, &["fit", "bernoulli", "--counts", "3/2"], 2, "no more heads than tosses");
    assert!(!here.join("runs").exists(), "a refused command left a folder behind");
    std::fs::write(here.join("rows.csv"), "a,b\n1.5,2\n0.1,x\n").unwrap();
    bad(here, &["train", "vae", "--data", "rows.csv"], 2, "rows.csv");
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let flags = ["--epochs", "40", "--set", "checkpoint_seconds=0", "--set", "sample_count=0"];
    good(here, &[&["train", "vae", "--quiet", "--out", "whole"], &flags[..]].concat());
    let mut child = Command::new(env!("CARGO_BIN_EXE_ancestral"))
        .current_dir(here)
        .args([&["train", "vae", "--quiet", "--out", "parts"], &flags[..]].concat())
        .spawn()
        .unwrap();
    for milliseconds in [150, 400, 250, 333] {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // SIGKILL on Unix; a run that has ended already cannot be killed.
        let _ = child.kill();
        child.wait().unwrap();
        if here.join("parts").exists() {
            child = Command::new(env!("CARGO_BIN_EXE_ancestral"))
                .current_dir(here)
                .args(["train", "--resume", "parts", "--quiet"])
                .spawn()
                .unwrap();
        }
    }
    child.wait().unwrap();
    good(here, &["train", "--resume", "parts", "--quiet"]);
    let bytes = |run: &str| std::fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert!(bytes("whole") == bytes("parts"), "the weights differ");
}
