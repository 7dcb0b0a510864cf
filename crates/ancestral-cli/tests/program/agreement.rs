//! A run and other data agree: columns, categories and classes by name, numbers with their digits,
//! and where data was found.

use ancestral_test_support::{Program, errors};

use crate::program;

const SMALL: &str = "--steps 3 --set sample_count=0 --quiet";

/// A table of two correlated columns, `height` and `weight`, and a column of classes.
fn table(header: &str, row: impl Fn(f64, f64, &str) -> String) -> String {
    let rows: Vec<String> = (0..60)
        .map(|i| {
            let x = f64::from(i * 37 % 60) / 10.0;
            row(x, 100.0 - 10.0 * x + f64::from(i % 7), ["c", "a", "b"][i as usize % 3])
        })
        .collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

fn scores(here: &Program, command: &str) -> Vec<f64> {
    here.good(&format!("{command} --out scores.csv"));
    let text = here.read("scores.csv");
    let value = |line: &str| line.split(',').nth(1).unwrap().parse().unwrap();
    text.lines().skip(1).map(value).collect()
}

#[test]
fn columns_are_matched_by_name() {
    let here = program();
    here.write("own.csv", table("height,weight", |x, y, _| format!("{x},{y}")));
    here.write("swapped.csv", table("weight,height", |x, y, _| format!("{y},{x}")));
    here.write("renamed.csv", table("height,mass", |x, y, _| format!("{x},{y}")));
    here.write("more.csv", table("height,weight,age", |x, y, _| format!("{x},{y},1")));
    here.write("bare.csv", table("1.5,2.5", |x, y, _| format!("{x},{y}")));
    here.good("fit gaussian --data own.csv --out g --quiet");
    here.good(&format!("train rnade --data own.csv {SMALL} --out r"));
    for run in ["g", "r"] {
        let own = scores(&here, &format!("score {run} --data own.csv"));
        assert_eq!(scores(&here, &format!("score {run} --data swapped.csv")), own);
        let said = errors(&here.run(&format!("score {run} --data bare.csv --out s.csv")));
        assert!(said.contains("the columns of the data have no names"), "{said}");
        let missing =
            "column 'weight' of the run is missing; the columns of the data are height, mass";
        here.bad(&format!("score {run} --data renamed.csv"), missing);
        here.bad(&format!("evaluate {run} --data renamed.csv"), missing);
        let foreign = "column 'age' is not one of the run's columns, height, weight";
        here.bad(&format!("score {run} --data more.csv"), foreign);
    }
    let found = here.json("score r --data bare.csv");
    assert!(found["notes"][0].as_str().unwrap().contains("by their order"), "{found}");
    // Some columns of a row, whatever their place, are completed by name.
    here.write("first.csv", "height\n1.5\n3\n");
    here.good("sample r --complete first.csv --out completed.csv");
    let completed = here.read("completed.csv");
    let first: Vec<&str> = completed.lines().map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(first, ["height", "1.5", "3"]);
    here.write("other.csv", "mass\n1.5\n");
    here.bad("sample r --complete other.csv --out c.csv", "column 'mass' is not one of");
    here.write("mask.csv", "1,0\n");
    let whole = "sample r --mask mask.csv --out m.csv --complete";
    here.good(&format!("{whole} own.csv"));
    let masked = here.read("m.csv");
    here.good(&format!("{whole} swapped.csv"));
    assert_eq!(here.read("m.csv"), masked);
}

#[test]
fn classes_are_matched_by_name() {
    let here = program();
    let labeled = |name: &str, classes: [&str; 3], only: &str| {
        let rows: String = (0..60)
            .filter(|i| only.is_empty() || classes[i % 3] != only)
            .map(|i| format!("{}.{},{}\n", i % 3 * 10, i % 9, classes[i % 3]))
            .collect();
        here.write(name, format!("x,label\n{rows}"));
    };
    labeled("own.csv", ["low", "middle", "upper"], "");
    labeled("two.csv", ["low", "middle", "upper"], "low");
    labeled("strange.csv", ["low", "middle", "high"], "");
    here.good("fit logistic --data own.csv --out l --quiet");
    for file in ["own.csv", "two.csv"] {
        let found = here.json(&format!("evaluate l --data {file}"));
        assert_eq!(found["accuracy"], 1.0, "{file}: {found}");
    }
    here.bad("evaluate l --data strange.csv", "class high, and the classes of the run are low");
    here.bad("evaluate l --data two.csv --no-labels", "labels");

    // Numbers are names: a position is none of them.
    labeled("numbers.csv", ["3", "7", "900"], "");
    here.good("fit logistic --data numbers.csv --out n --quiet");
    let scored = here.json("score n --data numbers.csv --out n.csv");
    assert_eq!(scored["classes"], serde_json::json!(["3", "7", "900"]));
    labeled("floats.csv", ["3.0", "7.0", "900.0"], "3.0");
    assert_eq!(here.json("evaluate n --data floats.csv")["accuracy"], 1.0);
}

#[test]
fn categories_are_matched_by_name() {
    let here = program();
    let rows: String = (0..60)
        .map(|i| {
            format!("{},{},{}\n", i % 7, ["red", "green", "blue"][i % 3], ["n", "y"][i % 3 / 2])
        })
        .collect();
    here.write("own.csv", format!("x,color,label\n{rows}"));
    here.write("two.csv", format!("color,x,label\n{}", "blue,1,y\nred,2,n\n".repeat(5)));
    here.write("pink.csv", "x,color\n1,pink\n");
    here.write("numbers.csv", "x,color\n1,2\n");
    here.good("fit logistic --data own.csv --out l --quiet");
    assert_eq!(here.json("evaluate l --data two.csv --split train")["accuracy"], 1.0);
    here.bad("score l --data pink.csv", "'pink' in column 'color' is none of the run's categories");
    here.bad(
        "score l --data numbers.csv",
        "column 'color' holds numbers, and that of the run words",
    );
    let said =
        here.bad(&format!("train rnade --data own.csv {SMALL}"), "'color' is of 3 categories");
    assert!(said.contains("rnade takes real columns"), "{said}");
}

#[test]
fn samples_have_the_precision_of_their_column() {
    let here = program();
    let rows: String = (0..60).map(|i| format!("{}.{:02},{}\n", i % 5, i, i * 3 % 11)).collect();
    here.write("own.csv", format!("price,count\n{rows}"));
    here.good(&format!("train rnade --data own.csv {SMALL} --out r"));
    for out in ["s.npy", "s.csv"] {
        let said = errors(&here.run(&format!("sample r -n 50 --out {out}")));
        assert!(said.contains("rounded to whole numbers, as in the data, in count"), "{said}");
    }
    for line in here.read("s.csv").lines().skip(1) {
        let (price, count) = line.split_once(',').unwrap();
        assert!(price.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 2), "{line}");
        assert!(!count.contains('.') && count != "-0", "{line}");
    }
    here.good("score r --data s.csv --out scores.csv");
}

#[test]
fn a_run_remembers_where_its_data_was_found() {
    let here = program();
    // The files of a known set in a folder that is named on the command line alone.
    let folder = here.path("sets/density_estimation/nltcs");
    std::fs::create_dir_all(&folder).unwrap();
    let rows = |n: usize| -> String {
        (0..n).map(|i| format!("{}\n", vec![["0", "1"][i % 2]; 16].join(","))).collect()
    };
    for (split, n) in [("train", 40), ("valid", 10), ("test", 10)] {
        std::fs::write(folder.join(format!("nltcs.{split}.data")), rows(n)).unwrap();
    }
    here.good(&format!("train nade --data nltcs --data-dir sets --set hidden=4 {SMALL} --out r"));
    let found = here.json("evaluate r");
    assert_eq!(found["n"], 10);
    std::fs::rename(here.path("sets"), here.path("moved")).unwrap();
    assert_eq!(here.json("evaluate r --data-dir moved")["n"], 10);
    here.good("pack r --out packed");
    assert!(!here.read("packed/config.toml").contains("data_dir"));
}

#[test]
fn values_that_single_precision_merges_are_counted() {
    let here = program();
    let rows: String = (0..40)
        .map(|i| format!("{},{}\n", i % 10, if i % 4 == 1 { 1e15 } else { f64::from(i) }))
        .collect();
    here.write("outlier.csv", format!("a,b\n{rows}"));
    let said =
        errors(&here.run("train rnade --data outlier.csv --steps 1 --set sample_count=0 --out r"));
    assert!(said.contains("column 'b' has") && said.contains("and 2 in single"), "{said}");
    let rows: String = (0..40).map(|i| format!("{i},5,0\n")).collect();
    here.write("constant.csv", format!("a,b,c\n{rows}"));
    let said = errors(&here.run("fit gaussian --data constant.csv --out g"));
    assert!(said.contains("note: 2 columns are constant: b, c"), "{said}");
}

#[test]
fn a_probability_of_zero_is_infinite_and_named() {
    let here = program();
    let rows: String = (0..40).map(|i| format!("{},0\n", i % 2)).collect();
    here.write("bits.csv", format!("a,b\n{rows}"));
    here.write("new.csv", format!("a,b\n{}", "0,1\n".repeat(10)));
    here.good("fit bernoulli --data bits.csv --set pseudo_count=0 --out r --quiet");
    let output = here.run("evaluate r --data new.csv --split train");
    let (text, said) = (String::from_utf8_lossy(&output.stdout), errors(&output));
    assert!(text.contains("log-likelihood inf nats (exact"), "{text}");
    assert!(said.contains("example") && said.contains("column 'b' is 1"), "{said}");
    assert!(said.contains("fit it with pseudo_count above 0"), "{said}");
    let found = here.json("score r --data new.csv");
    assert_eq!(found["mean_log_probability"], "-inf");
}

#[test]
fn outputs_are_not_written_over_inputs_or_runs() {
    let here = program();
    here.write("own.csv", table("height,weight", |x, y, _| format!("{x},{y}")));
    here.good("fit gaussian --data own.csv --out g --quiet");
    let own = here.read("own.csv");
    here.bad("score g --data own.csv --out own.csv", "--out own.csv: it is an input");
    std::fs::create_dir(here.path("sub")).unwrap();
    here.bad("score g --data own.csv --out sub/../own.csv", "it is an input");
    assert_eq!(here.read("own.csv"), own);
    std::fs::write(here.path("g/kept.csv"), "x").unwrap();
    here.bad("score g --data own.csv --out g/kept.csv", "it is a file of the run");
    here.good("score g --data own.csv --out g/new.csv");
    here.good("data show digits --out image.png");
    here.bad("data show image.png --out image.png", "it is an input");
}

#[test]
fn networks_see_columns_without_their_offset_and_unit() {
    let here = program();
    let rows = |offset: f64, unit: f64| -> String {
        let row = |i: i32| {
            let (x, y) = (f64::from(i * 37 % 60) / 10.0, f64::from(i * 11 % 13));
            format!("{:.6},{y}\n", offset + unit * x)
        };
        format!("a,b\n{}", (0..60).map(row).collect::<String>())
    };
    here.write("plain.csv", rows(0.0, 1.0));
    here.write("shifted.csv", rows(1e8, 1000.0));
    let drawn = |run: &str| -> Vec<f64> {
        here.good(&format!("sample {run} -n 40 --out {run}.csv"));
        let text = here.read(&format!("{run}.csv"));
        text.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect()
    };
    for (model, settings) in [
        ("rnade", "--set hidden=4"),
        ("deep-nade", "--set hidden=[4]"),
        ("vae", "--set hidden=[[4]] --set latent_dims=[2]"),
        ("wgan-gp", "--set critic_hidden=[8] --set generator_hidden=[8]"),
    ] {
        for data in ["plain", "shifted"] {
            let run = format!("{model}-{data}");
            here.good(&format!("train {model} --data {data}.csv {settings} {SMALL} --out {run}"));
        }
        let (plain, shifted) =
            (drawn(&format!("{model}-plain")), drawn(&format!("{model}-shifted")));
        for (x, y) in plain.iter().zip(&shifted) {
            let back = (y - 1e8) / 1000.0;
            assert!((x - back).abs() < 1e-3, "{model}: {x} {back}");
        }
        let nll = |data: &str| {
            let found = here.json(&format!("evaluate {model}-{data} --samples 5"));
            found["nll_nats"].as_f64()
        };
        if let (Some(plain), Some(shifted)) = (nll("plain"), nll("shifted")) {
            let log = 1000f64.ln();
            assert!((shifted - plain - log).abs() < 1e-4, "{model}: {plain} {shifted}");
        }
    }
}

#[test]
fn a_run_decides_what_other_data_leaves_open() {
    let here = program();
    // A real target is an entry, and stays one where it is whole.
    let reals: String = (0..60).map(|i| format!("{}.5,{}.25\n", i % 7, i % 5)).collect();
    here.write("real.csv", format!("x,target\n{reals}"));
    let whole: String = (0..60).map(|i| format!("{}.5,{}\n", i % 7, i % 5)).collect();
    here.write("whole.csv", format!("x,target\n{whole}"));
    here.good("fit gaussian --data real.csv --out t --quiet");
    assert_eq!(scores(&here, "score t --data whole.csv").len(), 60);
    // Names that are numbers, over few whole rows.
    let rows: String = (0..60).map(|i| format!("{}.5,{}.25\n", i % 7, i % 5)).collect();
    here.write("numbered.csv", format!("0,1\n{rows}"));
    here.good("fit gaussian --data numbered.csv --out n --quiet");
    here.write("few.csv", "1,0\n2,3\n4,5\n");
    assert_eq!(scores(&here, "score n --data few.csv").len(), 2);
    // Separators of another program.
    here.write("own.csv", format!("a;b\n{}", rows.replace(',', ";")));
    here.write("comma.csv", format!("b,a\n{rows}"));
    here.good("fit gaussian --data own.csv --separator ; --out s --quiet");
    assert_eq!(scores(&here, "score s --data comma.csv").len(), 60);
}

#[test]
fn errors_against_a_run_name_lines() {
    let here = program();
    let bits: String = (0..60).map(|i| format!("{},{}\n", i % 2, i / 2 % 2)).collect();
    here.write("bits.csv", format!("a,b\n{bits}"));
    here.good("fit bernoulli --data bits.csv --out b --quiet");
    here.write("other.csv", "# c\nb,a\n\n0,1\n1,1\n\n1,7\n");
    here.bad(
        "score b --data other.csv",
        "line 7, column 'a': 7; expected a whole number from 0 to 1",
    );
    here.write("words.csv", format!("color,label\n{}", "red,1\nblue,2\n".repeat(20)));
    here.good("fit logistic --data words.csv --out l --quiet");
    // One of two words is still that word.
    for (word, counts) in [("red", [1, 0]), ("blue", [0, 1])] {
        here.write("word.csv", format!("color\n{word}\n"));
        let found = here.json("score l --data word.csv --out word_scores.csv");
        assert_eq!(found["counts"], serde_json::json!(counts), "{word}: {found}");
    }
    here.write("pink.csv", "color\nred\n\npink\n");
    here.bad("score l --data pink.csv", "line 4: 'pink' in column 'color'");
    here.write("third.csv", "color,label\nred,1\nred,3\nblue,2\n");
    here.bad("evaluate l --data third.csv --split train", "line 3: an example is of class 3");
    // Names that only look alike.
    here.write("nfc.csv", format!("caf\u{e9},b\n{bits}"));
    here.write("nfd.csv", format!("cafe\u{301},b\n{bits}"));
    here.good("fit bernoulli --data nfc.csv --out accents --quiet");
    here.bad("score accents --data nfd.csv", "NFC or NFD");
}

#[test]
fn what_is_left_out_of_rows_is_said() {
    let here = program();
    here.write("own.csv", table("height,weight", |x, y, _| format!("{x},{y}")));
    here.good(&format!("train rnade --data own.csv {SMALL} --out r"));
    here.write("given.csv", "height,label\n1.5,a\n3,b\n");
    let said = errors(&here.run("sample r --complete given.csv --out c.csv"));
    assert!(said.contains("column 'label' may hold classes and was left out"), "{said}");
    // Few rows have no splits, and are evaluated.
    here.write("two.csv", "height,weight\n1.5,80\n3,70.5\n");
    let found = here.json("evaluate r --data two.csv");
    assert_eq!(found["n"], 2, "{found}");
    assert!(found["notes"].to_string().contains("too few examples for splits"), "{found}");
    // A probability of 0 is among the notes of a file of scores.
    let bits: String = (0..60).map(|i| format!("0,{}\n", i % 2)).collect();
    here.write("bits.csv", format!("a,b\n{bits}"));
    here.good("fit bernoulli --data bits.csv --set pseudo_count=0 --out b --quiet");
    here.write("one.csv", "a,b\n1,1\n0,1\n");
    let found = here.json("score b --data one.csv --out s.csv");
    assert!(found["notes"].to_string().contains("column 'a'"), "{found}");
    // Categories have their words.
    here.write("words.csv", format!("color\n{}", "red\nblue\nred\n".repeat(20)));
    let found = here.good("fit categorical --data words.csv --out w");
    assert!(found.contains("p[color, blue]"), "{found}");
    assert!(!found.contains("standardized"), "{found}");
}

#[test]
fn bits_for_a_model_of_levels_are_noted() {
    let here = program();
    here.good(&format!("train nade --data digits {SMALL} --out n"));
    let rows = |most: usize| -> String {
        let row = |i: usize| -> Vec<String> {
            (0..64).map(|j| ((i * j + j / 3) % 2 * most).to_string()).collect()
        };
        (0..20).map(|i| row(i).join(",") + "\n").collect()
    };
    here.write("bits.csv", rows(1));
    here.write("levels.csv", rows(16));
    let said = |data: &str| errors(&here.run(&format!("score n --data {data} --out s.csv")));
    let note =
        "all values are 0 or 1, of levels from 0 to 16; where 1 is white, multiply them by 16";
    assert!(said("bits.csv").contains(note), "{}", said("bits.csv"));
    assert!(!said("levels.csv").contains("multiply"), "{}", said("levels.csv"));
}
