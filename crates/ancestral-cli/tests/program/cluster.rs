//! `cluster`: labels, files and messages of good and bad data.

#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use ancestral_test_support::{Program, errors};

#[cfg(target_os = "linux")]
use crate::peak_memory;
use crate::program;

/// Two groups of ten rows and a row far from both, with names.
fn groups(here: &Program) {
    let mut text = "name,x,y\n".to_owned();
    for i in 0..20 {
        let at = f64::from(i % 2) * 10.0;
        text += &format!("r{i},{},{}\n", at + f64::from(i / 2) * 0.1, at - f64::from(i / 2) * 0.05);
    }
    here.write("groups.csv", text + "far,50.5,-40.5\n");
}

fn labels(here: &Program, file: &str) -> Vec<i64> {
    let text = here.read(file);
    text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_row_has_a_label_in_the_order_of_the_file() {
    let here = program();
    groups(&here);
    here.good("cluster dbscan --data groups.csv --set eps=0.5 --labels l.csv --out d");
    let found = labels(&here, "l.csv");
    assert_eq!(found.len(), 21);
    for (row, label) in found.iter().enumerate() {
        assert_eq!(*label, if row == 20 { -1 } else { row as i64 % 2 }, "{row}");
    }
    let text = here.read("l.csv");
    assert!(text.starts_with("name,core,cluster\nr0,1,0\nr1,1,1\n"), "{text}");
    assert!(text.ends_with("far,0,-1\n"), "{text}");
    assert_eq!(text, here.read("d/labels.csv"));
    let said = here.json("cluster kmeans --data groups.csv --set n_clusters=3 --out k");
    assert_eq!((&said["clusters"], &said["rows"]), (&3.into(), &21.into()), "{said}");
    let found = labels(&here, "k/labels.csv");
    assert!(found[..20].iter().enumerate().all(|(row, label)| *label == found[row % 2]));
    assert!(found[20] != found[0] && found[20] != found[1]);
    for file in ["centers.csv", "centers.npy", "scatter.png", "config.toml", "model.safetensors"] {
        assert!(here.path("k").join(file).exists(), "{file}");
    }
    assert!(here.read("k/centers.csv").starts_with("x,y\n"));
    let said = here.json("cluster hdbscan --data groups.csv --set min_cluster_size=4 --out h");
    assert_eq!((&said["clusters"], &said["noise"]), (&2.into(), &1.into()), "{said}");
    assert!(here.path("h/tree.png").exists());
    here.good("cluster som --data groups.csv --set rows=2 --set columns=3 --out s");
    assert!(labels(&here, "s/labels.csv").iter().all(|label| (0..6).contains(label)));
    for file in ["u-matrix.png", "hits.png", "planes.png"] {
        assert!(here.path("s").join(file).exists(), "{file}");
    }
    let said = here.json("cluster gmm --data groups.csv --set n_components=1..3 --out g");
    assert_eq!(said["compared"].as_array().unwrap().len(), 3);
    let listed = here.json("runs k d");
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn new_rows_go_into_the_clusters_of_a_run() {
    let here = program();
    groups(&here);
    here.write("new.csv", "y,x,name\n10,10.5,a\n0,0.5,b\n-40,50,c\n");
    here.good("cluster kmeans --data groups.csv --standardize --set n_clusters=3 --out k");
    let own = labels(&here, "k/labels.csv");
    here.good("cluster assign k --data new.csv --labels n.csv");
    assert_eq!(labels(&here, "n.csv"), [own[1], own[0], own[20]]);
    assert!(here.read("n.csv").starts_with("name,cluster\na,"));
    // The rows that were clustered stay where they are.
    here.good("cluster assign k --data groups.csv --labels same.csv");
    assert_eq!(labels(&here, "same.csv"), own);
    here.good("cluster hdbscan --data groups.csv --set min_cluster_size=4 --out h");
    let own = labels(&here, "h/labels.csv");
    let output = here.run("cluster assign h --data new.csv --labels m.csv");
    assert!(errors(&output).contains("approximate"), "{}", errors(&output));
    assert_eq!(labels(&here, "m.csv"), [own[1], own[0], -1]);
    here.good("cluster dbscan --data groups.csv --out d");
    here.bad("cluster assign d --data new.csv", "cannot assign other rows");
    here.good("fit gaussian --data groups.csv --column x --out f");
    here.bad("cluster assign f --data groups.csv", "has no clusters");
}

#[test]
fn units_do_not_matter_after_standardization() {
    let here = program();
    groups(&here);
    let scaled: String = here
        .read("groups.csv")
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            match at {
                0 => format!("{line}\n"),
                _ => {
                    let x: f64 = cells[1].parse().unwrap();
                    format!("{},{},{}\n", cells[0], 1e6 + 1000.0 * x, cells[2])
                }
            }
        })
        .collect();
    here.write("scaled.csv", scaled);
    for (file, out) in [("groups.csv", "a"), ("scaled.csv", "b")] {
        here.good(&format!(
            "cluster kmeans --data {file} --standardize --set n_clusters=3 --out {out}"
        ));
    }
    assert_eq!(labels(&here, "a/labels.csv"), labels(&here, "b/labels.csv"));
    let center = |file: &str| -> Vec<f64> {
        here.read(file).lines().nth(1).unwrap().split(',').map(|x| x.parse().unwrap()).collect()
    };
    let (a, b) = (center("a/centers.csv"), center("b/centers.csv"));
    assert!((1e6 + 1000.0 * a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-6, "{a:?} {b:?}");
}

#[test]
fn given_centers_and_weights_are_used() {
    let here = program();
    here.write("x.csv", "x,w\n0.5,1\n1.5,1\n10.5,1\n11.5,3\n");
    here.write("centers.csv", "x\n11.0\n1.0\n");
    let said = here.json(
        "cluster kmeans --data x.csv --weights w --set n_clusters=2 --set init=centers.csv --out k",
    );
    assert_eq!(said["sizes"], serde_json::json!([2, 2]), "{said}");
    assert_eq!(here.read("k/centers.csv"), "x\n11.25\n1\n");
    assert_eq!(labels(&here, "k/labels.csv"), [1, 1, 0, 0]);
    here.bad(
        "cluster kmeans --data x.csv --set n_clusters=3 --column x --set init=centers.csv --out l",
        "given centers: 2",
    );
    here.bad("cluster dbscan --data x.csv --weights w --out m", "kmeans does");
}

#[test]
fn poor_data_has_an_answer_or_an_error() {
    let here = program();
    here.write("empty.csv", "");
    here.write("head.csv", "x,y\n");
    here.write("one.csv", "x,y\n1.5,2.5\n");
    here.write("same.csv", "x,y\n".to_owned() + &"1.5,2.5\n".repeat(30));
    here.write("gap.csv", "x,y\n1.5,2.5\n,3.5\n2.5,1.5\n");
    here.write("words.csv", "a,b\nx,y\nz,x\ny,x\n");
    here.write("constant.csv", "x,y\n1.5,1\n1.5,2\n1.5,8\n1.5,9\n");
    for method in ["kmeans --set n_clusters=1", "dbscan", "hdbscan", "som", "gmm"] {
        for (file, words) in [
            ("empty.csv", "the file is empty"),
            ("head.csv", "no numbers"),
            ("gap.csv", "line 3, column 1 ('x')"),
            ("words.csv", "no column holds numbers"),
            ("nowhere.csv", "nowhere.csv"),
        ] {
            here.bad(&format!("cluster {method} --data {file} --out none"), words);
        }
        assert!(!here.path("none").exists(), "{method}");
    }
    // One row is one cluster of K-means, a unit of a map, and noise elsewhere.
    here.good("cluster kmeans --data one.csv --set n_clusters=1 --out k1");
    assert_eq!(labels(&here, "k1/labels.csv"), [0]);
    here.good("cluster som --data one.csv --set rows=2 --set columns=2 --out s1");
    for method in ["dbscan", "hdbscan"] {
        here.good(&format!("cluster {method} --data one.csv --out {method}1"));
        assert_eq!(labels(&here, &format!("{method}1/labels.csv")), [-1]);
    }
    here.bad("cluster kmeans --data one.csv --out none", "'n_clusters' is 8; there is 1 row");
    here.bad("cluster eps --data one.csv", "'min_samples' is 5");
    // Equal rows.
    let output = here.run("cluster kmeans --data same.csv --set n_clusters=3 --out ks");
    assert!(errors(&output).contains("1 cluster instead of 3"), "{}", errors(&output));
    assert!(labels(&here, "ks/labels.csv").iter().all(|&label| label == 0));
    here.good("cluster dbscan --data same.csv --out ds");
    assert!(labels(&here, "ds/labels.csv").iter().all(|&label| label == 0));
    here.good("cluster hdbscan --data same.csv --out hs");
    here.good("cluster som --data same.csv --standardize --out ss");
    here.good("cluster eps --data same.csv");
    // A constant column says nothing.
    here.good("cluster kmeans --data constant.csv --standardize --set n_clusters=2 --out kc");
    assert_eq!(
        here.json("cluster kmeans --data constant.csv --set n_clusters=2 --out kd")["sizes"],
        serde_json::json!([2, 2])
    );
}

#[test]
fn what_is_wrong_is_named() {
    let here = program();
    groups(&here);
    for (line, words) in [
        ("cluster kmean --data groups.csv", "did you mean 'kmeans'?"),
        ("cluster kmeans --data groups.csv --set k=3", "unknown setting 'k'"),
        ("cluster kmeans --data groups.csv --set n_clusters=22", "there are 21 rows"),
        ("cluster kmeans --data groups.csv --set n_clusters=5..2", "from low to high"),
        ("cluster dbscan --data groups.csv --set eps=0", "'eps' is 0"),
        ("cluster dbscan --data groups.csv --set n_clusters=2..4", "finds the number of clusters"),
        ("cluster dbscan --data groups.csv --set metric=hamming", "euclidean, manhattan"),
        ("cluster hdbscan --data groups.csv --set min_cluster_size=1", "'min_cluster_size' is 1"),
        (
            "cluster kmeans --data groups.csv --column z",
            "there is no such column; the columns are name, x, y",
        ),
        ("cluster kmeans --data groups.csv --column name", "'name'"),
        ("cluster kmeans --data groups.csv --labels groups.csv", "it is an input"),
        ("cluster kmeans --data groups.csv --labels l.txt", ".csv"),
        ("fit kmeans --data groups.csv --column x", "ancestral cluster kmeans"),
    ] {
        here.bad(&format!("{line} --out none"), words);
        assert!(!here.path("none").exists(), "{line}");
    }
    here.good("cluster dbscan --data groups.csv --out d");
    here.bad("cluster dbscan --data groups.csv --out d", "already exists");
}

#[test]
fn classes_are_compared_with_clusters_and_not_clustered() {
    let here = program();
    let rows: String =
        (0..40).map(|i| format!("{}.5,{}\n", i % 2 * 20 + i % 3, ["a", "b"][i % 2])).collect();
    here.write("c.csv", format!("x,class\n{rows}"));
    let said = here.json("cluster kmeans --data c.csv --set n_clusters=2 --out k");
    for key in ["adjusted_rand", "adjusted_mutual_information", "normalized_mutual_information"] {
        assert!((said[key].as_f64().unwrap() - 1.0).abs() < 1e-9, "{said}");
    }
    assert_eq!(said["columns"], 1);
    let said = here.json("cluster kmeans --data c.csv --no-labels --set n_clusters=2 --out l");
    assert!(said["adjusted_rand"].is_null(), "{said}");
    // ARFF is read.
    let rows = rows.replace(".5,", ".5, ");
    let head = "@relation r\n@attribute x real\n@attribute class {a,b}\n@data\n";
    here.write("c.arff", format!("{head}{rows}"));
    let said = here.json("cluster kmeans --data c.arff --set n_clusters=2 --out m");
    assert_eq!(said["adjusted_rand"].as_f64().unwrap(), 1.0, "{said}");
}

#[test]
fn images_and_codes_are_clustered() {
    let here = program();
    here.good("cluster kmeans --data digits --set n_clusters=10 --no-indices --out k");
    assert!(here.path("k/examples.png").exists());
    assert_eq!(here.read("k/centers.csv").lines().count(), 11);
    here.good("cluster assign k --data digits --labels l.csv");
    here.good("train ae --epochs 1 --set latent_dim=3 --set sample_count=0 --out ae");
    let said = here.json("cluster kmeans --data digits --encode ae --set n_clusters=4 --out c");
    assert_eq!(said["columns"], 3, "{said}");
    assert!(here.read("c/centers.csv").starts_with("z0,z1,z2\n"));
    here.good("cluster assign c --data digits --labels m.csv");
    here.bad("cluster kmeans --data digits --encode k --out none", "has no latent codes");
}

/// Three groups around multiples of ten, in random order, as a file of four columns.
#[cfg(target_os = "linux")]
fn many(here: &Program, name: &str, rows: usize) {
    let mut text = "a,b,c,d\n".to_owned();
    let mut state = 1u64;
    for _ in 0..rows {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let at = next() % 3 * 10;
        let [b, c, d] = [0; 3].map(|_| next() % 4);
        text += &format!("{at},{b},{c},{d}\n");
    }
    here.write(name, text);
}

/// A file is clustered in mini-batches in parts, whatever its size.
#[cfg(target_os = "linux")]
#[test]
fn a_file_larger_than_what_is_held_is_clustered_in_bounded_memory() {
    let here = program();
    let (small, large) = (1_100_000, 4_400_000);
    many(&here, "small.csv", small);
    many(&here, "large.csv", large);
    let cluster = |name: &str| {
        let settings = "--set n_clusters=3 --set batch_size=4096 --set n_init=3";
        let line = format!(
            "cluster kmeans --data {name} {settings} --no-indices --labels {name}.l.csv --out {name}.run"
        );
        peak_memory(&here, &format!("{line} --quiet"))
    };
    let (of_small, of_large) = (cluster("small.csv"), cluster("large.csv"));
    // The rows alone would take 101 MiB more.
    assert!(of_large < of_small + (32 << 20), "{of_small}, {of_large}");
    let found = labels(&here, "large.csv.l.csv");
    assert_eq!(found.len(), large);
    assert_eq!(found, labels(&here, "large.csv.run/labels.csv"));
    // Equal values are equal groups; the first rows are those of the small file.
    let rows = here.read("small.csv");
    let mut of = std::collections::BTreeMap::new();
    for (row, label) in rows.lines().skip(1).zip(&found) {
        let at = row.split(',').next().unwrap();
        assert_eq!(of.entry(at.to_owned()).or_insert(*label), label);
    }
    assert_eq!(of.len(), 3);
    here.good("cluster assign large.csv.run --data small.csv --labels n.csv");
    assert_eq!(labels(&here, "n.csv"), found[..small]);
}

#[test]
fn mini_batches_go_where_all_rows_go() {
    let here = program();
    groups(&here);
    let said = here.json("cluster kmeans --data groups.csv --set n_clusters=3 --set batch_size=8 --set n_init=5 --out b");
    assert!(said["batches"].as_f64().unwrap() >= 1.0, "{said}");
    here.good("cluster kmeans --data groups.csv --set n_clusters=3 --set n_init=5 --out k");
    let names = |file: &str| {
        let found = labels(&here, file);
        let mut seen = Vec::new();
        let mut name = |label: &i64| match seen.iter().position(|other| other == label) {
            Some(at) => at,
            None => {
                seen.push(*label);
                seen.len() - 1
            }
        };
        found.iter().map(&mut name).collect::<Vec<_>>()
    };
    assert_eq!(names("b/labels.csv"), names("k/labels.csv"));
    here.bad("cluster kmeans --data groups.csv --set batch_size=8 --weights x", "take no weights");
}

/// Ctrl-C as soon as a line that begins with these words is written: the exit code, all that is said, and how
/// long it took to end.
#[cfg(target_os = "linux")]
#[track_caller]
fn interrupted(here: &Program, line: &str, words: &str) -> (Option<i32>, String, Duration) {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child =
        here.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut last = 0;
    while !said[last..].starts_with(words) {
        last = said.len();
        assert!(lines.read_line(&mut said).unwrap() > 0, "{line}: {said}");
    }
    let began = Instant::now();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    while lines.read_line(&mut said).unwrap() > 0 {}
    (child.wait().unwrap().code(), said, began.elapsed())
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_keeps_the_centers_found_so_far() {
    let here = program();
    many(&here, "rows.csv", 200_000);
    // Never converges.
    let line = "cluster kmeans --data rows.csv --set n_clusters=60 --set batch_size=64 \
                --set max_no_improvement=1000000000 --set max_iter=1000000 --no-indices --out k";
    let (code, said, _) = interrupted(&here, line, "clustering ");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("go on from these centers with --set init=centers.npy"), "{said}");
    assert_eq!(labels(&here, "k/labels.csv").len(), 200_000);
    let more =
        "cluster kmeans --data rows.csv --set n_clusters=60 --set max_iter=2 --no-indices --out m";
    here.good(&format!("{more} --set init=k/centers.npy"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_of_a_method_with_nothing_to_keep_writes_nothing() {
    let here = program();
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((state >> 33) % 1000).to_string()
    };
    // Far more pairs of rows in many columns than are compared within seconds.
    let mut text = String::new();
    for _ in 0..60_000 {
        text += &(0..40).map(|_| next()).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    here.write("wide.csv", text);
    for (line, words) in [
        ("cluster dbscan --set metric=manhattan --set eps=6000", "clustering "),
        ("cluster hdbscan", "clustering "),
        ("cluster eps", "computing distances "),
    ] {
        let out = if line.ends_with("eps") { "--out out.png" } else { "--labels l.csv --out out" };
        let line = format!("{line} --data wide.csv {out}");
        let (code, said, took) = interrupted(&here, &line, words);
        assert_eq!(code, Some(130), "{line}: {said}");
        assert!(said.contains("interrupted before a result; nothing is written"), "{line}: {said}");
        assert!(took < Duration::from_secs(5), "{line}: {took:?}");
        let files: Vec<_> = std::fs::read_dir(here.path(".")).unwrap().collect();
        assert_eq!(files.len(), 1, "{line}: {files:?}");
    }
    // The clusters are kept without the silhouette of 20,000 rows.
    let mut text = String::new();
    for row in 0..25_000 {
        let far = row % 2 * 1_000_000;
        let mut next = || (next().parse::<usize>().unwrap() + far).to_string();
        text += &(0..15).map(|_| next()).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    here.write("two.csv", text);
    let line = "cluster dbscan --set eps=100000 --data two.csv --labels l.csv --out k";
    let (code, said, _) = interrupted(&here, line, "computing indices ");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("stopped before the silhouette was computed"), "{said}");
    assert_eq!(labels(&here, "l.csv").len(), 25_000);
}

/// Identifiers are words of any number and kind, also with missing ones.
#[test]
fn identifiers_stand_beside_the_labels() {
    let here = program();
    let mut text = "id,code,x,note,y,class\n".to_owned();
    for row in 0..3000 {
        let note = ["", "\"a, b\"", "said \"\"so\"\"", "7"][row % 4];
        let note = if note.starts_with("said") { format!("\"{note}\"") } else { note.to_owned() };
        let at = row % 3 * 10;
        text += &format!("c{row},{row:05},{at}.5,{note},{}.25,k{}\n", at + row % 2, row % 3);
    }
    here.write("t.csv", &text);
    let beside: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{}", cells[0], cells[1], cells[3..cells.len() - 2].join(","))
        })
        .collect();
    let check = |file: &str| {
        let text = here.read(file);
        let (head, rows) = text.split_once('\n').unwrap();
        assert_eq!(head, "id,code,note,cluster");
        assert_eq!(rows.lines().count(), 3000);
        for (row, beside) in rows.lines().zip(&beside) {
            assert_eq!(row.rsplit_once(',').unwrap().0, beside, "{file}");
        }
    };
    let line = "cluster kmeans --data t.csv --set n_clusters=3 --id code --id note";
    let said = here.json(&format!("{line} --out k"));
    assert_eq!((&said["columns"], &said["adjusted_rand"]), (&2.into(), &1.0.into()), "{said}");
    check("k/labels.csv");
    // Columns that are asked for leave the others beside, and the classes to compare with.
    let said = here.json("cluster dbscan --data t.csv --column x --column y --set eps=2 --out d");
    assert_eq!((&said["columns"], &said["adjusted_rand"]), (&2.into(), &1.0.into()), "{said}");
    assert!(here.read("d/labels.csv").starts_with("id,code,note,core,cluster\nc0,00000,,1,0\n"));
    // So does a run with other rows.
    here.good("cluster assign k --data t.csv --labels n.csv");
    check("n.csv");
    here.bad("cluster kmeans --data t.csv --id who --out none", "there is no such column");
    // A column that begins with numbers is no column of words, unless it is named.
    here.write("u.csv", "u,x\n7,1.5\nb7,2.5\n8,3.5\n");
    let line = "cluster kmeans --data u.csv --set n_clusters=2";
    here.bad(&format!("{line} --out none"), "line 3, column 1 ('u')");
    here.good(&format!("{line} --id u --out u"));
    assert!(here.read("u/labels.csv").contains("\nb7,"));
}

#[test]
fn settings_of_methods_say_how_to_cluster() {
    let here = program();
    assert!(here.good("models som").contains("ancestral cluster som --data"));
    assert!(here.good("models gmm").contains("ancestral fit gmm --data"));
}
