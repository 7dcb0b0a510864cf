//! `rules`: sets and rules of good and bad files, limits and what is kept.

use std::io::Write;
use std::process::Stdio;

use ancestral_test_support::{Image, Program, WHITE, data_dir_with, errors};
use serde_json::Value;

use crate::program;

/// A basket a line, with names of several words, a comma and a quote.
const BASKETS: &str = "whole milk,bread\nwhole milk,bread,\"salt, pepper\"\nbread,whole milk\n\
                       \"salt, pepper\",\"19\"\" rack\"\nbread,crème fraîche\nwhole milk,bread\n";

/// Baskets whose items 0 to n are in most of them, so that there are many sets.
fn dense(baskets: u32, items: u32) -> String {
    let row = |b: u32| {
        let holds = |i: &u32| (b * 31 + i * 17 + b * i * 7) % 11 > 1;
        let items: Vec<String> = (0..items).filter(holds).map(|i| i.to_string()).collect();
        items.join(" ") + "\n"
    };
    (0..baskets).map(row).collect()
}

/// Lines of a file without its header, sorted, the items of each sorted, too.
fn sets_of(here: &Program, file: &str) -> Vec<Vec<String>> {
    let mut sets: Vec<Vec<String>> = here
        .read(file)
        .lines()
        .map(|line| {
            let set: Value = serde_json::from_str(line).unwrap();
            let items = set["items"].as_array().unwrap();
            let mut items: Vec<String> =
                items.iter().map(|item| item.as_str().unwrap().to_owned()).collect();
            items.sort();
            items.push(set["count"].to_string());
            items
        })
        .collect();
    sets.sort();
    sets
}

#[test]
fn sets_and_rules_are_no_longer_than_asked() {
    let here = program();
    here.write("few.txt", "a,b,c\n".repeat(5) + "a\n");
    for most in 1..=3usize {
        for kind in ["", " --closed", " --maximal", " --top 9"] {
            let line =
                format!("rules --data few.txt --sets --min-support 1{kind} --max-len {most}");
            let line = line.replace("--min-support 1 --top", "--top");
            here.good(&format!("{line} --out few.jsonl"));
            let longest = sets_of(&here, "few.jsonl").iter().map(|set| set.len() - 1).max();
            assert!(longest.unwrap_or(0) <= most, "{line}: {longest:?}");
            assert!(!kind.is_empty() || longest == Some(most), "{line}: {longest:?}");
        }
    }
    here.good("rules --data few.txt --min-support 1 --min-confidence 0 --max-len 2 --out two.csv");
    assert_eq!(here.read("two.csv").lines().count(), 7, "six rules of two items");
}

#[test]
fn sets_are_written_and_summed_up() {
    let here = program();
    here.write("b.csv", BASKETS);
    let output = here.run("rules --data b.csv --sets --min-support 2 --out new/sets.csv");
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        said.starts_with("4 frequent sets in at least 2 of 6 baskets: 3 of 1 item, 1 of 2\n"),
        "{said}"
    );
    assert!(said.ends_with("wrote new/sets.csv\n"), "{said}");
    let noted = errors(&output);
    assert!(
        noted.contains(
            "b.csv: a basket a line, items separated by commas (--format says otherwise); 6"
        ) && noted.contains("6 baskets of 5 different items, 2.2 in a basket"),
        "{noted}"
    );
    let text = here.read("new/sets.csv");
    assert!(text.starts_with("items,support,count\nbread,0.8333333333333334,5\n"), "{text}");
    assert!(text.contains("\n\"bread,whole milk\",0.6666666666666666,4\n"), "{text}");
    assert!(text.contains("\n\"\"\"salt, pepper\"\"\",0.3333333333333333,2\n"), "{text}");
    let quiet = here.run("rules --data b.csv --sets --min-support 0.5 --quiet --out s.jsonl");
    assert_eq!((quiet.stdout.as_slice(), errors(&quiet).as_str()), (&b"s.jsonl\n"[..], ""));
    assert_eq!(sets_of(&here, "s.jsonl").len(), 3);
    for (kind, sets) in [("closed", 3), ("maximal", 2)] {
        let said = here.good(&format!("rules --data b.csv --sets --min-support 2 --{kind}"));
        assert!(said.contains(&format!("{sets} {kind} sets in at least 2")), "{said}");
    }
    let said = here.good("rules --data b.csv --sets --min-support 6");
    assert!(said.contains("no set is in at least 6 of 6 baskets; lower --min-support"), "{said}");
    assert_eq!(here.read("sets.csv"), "items,support,count\n");
}

#[test]
fn the_most_frequent_sets_need_no_support() {
    let here = program();
    here.write("d.txt", dense(200, 12));
    let top = |line: &str| {
        here.good(&format!("rules --data d.txt --sets --out t.jsonl {line}"));
        here.read("t.jsonl").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let found = top("--top 20");
    assert_eq!(found.len(), 20);
    let count = |line: &String| -> u64 {
        serde_json::from_str::<Value>(line).unwrap()["count"].as_u64().unwrap()
    };
    assert!(found.windows(2).all(|pair| count(&pair[0]) >= count(&pair[1])));
    // With an item they are those of all sets with it.
    let all = top("--min-support 1");
    for kind in ["", " --closed"] {
        let all = if kind.is_empty() { all.clone() } else { top("--min-support 1 --closed") };
        let holds = |line: &&String| {
            let set: Value = serde_json::from_str(line).unwrap();
            let items = set["items"].as_array().unwrap();
            ["3", "5"].iter().all(|item| items.iter().any(|found| found == item))
        };
        let mut right: Vec<u64> = all.iter().filter(holds).map(count).collect();
        let with = top(&format!("--min-support 1 --contains 3 --contains 5{kind}"));
        assert_eq!(with.len(), right.len());
        assert!(with.iter().all(|line| holds(&line)));
        right.sort_unstable_by(|a, b| b.cmp(a));
        right.truncate(9);
        let first = top(&format!("--top 9 --contains 3 --contains 5{kind}"));
        assert_eq!(first.iter().map(count).collect::<Vec<_>>(), right);
        assert!(first.iter().all(|line| holds(&line)));
    }
    here.bad("rules --data d.txt --sets --top 5 --maximal", "leave out --top or --maximal");
}

#[test]
fn rules_are_printed_written_and_drawn() {
    let here = program();
    here.write("b.csv", BASKETS);
    let line = "rules --data b.csv --min-support 2 --min-confidence 0.5";
    let said = here.good(&format!("{line} --graph g.png --scatter s.png"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "2 rules, of 2 in at least 2 of 6 baskets", "{said}");
    assert!(lines[2].ends_with("  whole milk → bread") && lines[2].contains(" 0.667 "), "{said}");
    assert!(
        said.contains("corrected for all possible rules (7 tests, Holm): 0 below 0.05"),
        "{said}"
    );
    assert!(said.ends_with("wrote rules.csv\nwrote g.png\nwrote s.png\n"), "{said}");
    let text = here.read("rules.csv");
    let header = "antecedent,consequent,support,confidence,lift,leverage,conviction,p_value\n";
    assert!(
        text.starts_with(&format!("{header}whole milk,bread,0.6666666666666666,1,1.2,")),
        "{text}"
    );
    assert!(text.contains(",inf,"), "{text}");
    for (file, size, ink, mean) in [
        ("g.png", (1000, 720), 0.01..0.06, 245.0..254.5),
        ("s.png", (800, 520), 0.02..0.08, 243.0..253.0),
    ] {
        let image = Image::open(&here.path(file));
        assert_eq!(image.size(), size, "{file}");
        image.assert_looks(WHITE, ink, mean);
    }
    here.good(&format!("{line} --graph g.svg --scatter s.svg --quiet"));
    assert!(here.read("g.svg").contains("whole milk"));
    // One side, several items, the order and the number.
    let said = here.json(&format!("{line} --rhs bread --sort p-value --top 1"));
    assert_eq!((&said["rules"], &said["frequent_rules"]), (&1.into(), &2.into()), "{said}");
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let here = program();
    here.write("b.csv", BASKETS);
    here.write("empty.csv", "");
    here.write("blank.csv", "\n\n  \n");
    here.write("latin.csv", b"caf\xe9,milk\n");
    std::fs::create_dir(here.path("folder")).unwrap();
    let data = "rules --data b.csv";
    for (line, says) in [
        ("rules --min-support 1", "--data"),
        (data, "give --min-support, a share of the baskets below 1"),
        ("rules --data b.csv --sets", "or --top for the most frequent sets"),
        (
            "rules --data b.csv --min-support 0",
            "a share of the baskets above 0 and below 1, as 0.01, or a whole",
        ),
        ("rules --data b.csv --min-support 1.5", "set it with --min-support"),
        ("rules --data b.csv --min-support -0.1", "-0.1"),
        ("rules --data b.csv --min-support 1 --min-confidence 1.5", "set it with --min-confidence"),
        ("rules --data b.csv --min-support 1 --min-confidence -1", "0 to 1"),
        ("rules --data b.csv --min-support 1 --holdout 1", "set it with --holdout"),
        ("rules --data b.csv --min-support 1 --holdout 0.0001", "holds out no basket"),
        ("rules --data b.csv --min-support 1 --contains bred", "did you mean 'bread'?"),
        ("rules --data b.csv --min-support 1 --rhs bread --rhs 4", "no basket holds '4'"),
        ("rules --data b.csv --min-support 1 --rhs a --rhs b --max-rhs 1", "set it with --max-rhs"),
        ("rules --data b.csv --min-support 1 --closed", "--sets"),
        ("rules --data b.csv --min-support 1 --sets --rhs bread", "cannot be used with"),
        ("rules --data b.csv --min-support 1 --sort size", "p-value"),
        ("rules --data b.csv --min-support 1 --format csv", "choose baskets, long or table"),
        (
            "rules --data b.csv --min-support 1 --format table",
            "b.csv, line 2: the table has 2 columns",
        ),
        ("rules --data b.csv --min-support 1 --max-memory 3", "at least 32M"),
        ("rules --data b.csv --min-support 1 --max-memory much", "as in 500M or 2G"),
        ("rules --data b.csv --min-support 1 --out rules.txt", ".csv or .jsonl"),
        ("rules --data b.csv --min-support 1 --out b.csv", "it is an input"),
        ("rules --data b.csv --min-support 1 --graph g.pdf", ".png or .svg"),
        ("rules --data b.csv --min-support 1 --graph g.png --scatter g.png", "give two"),
        ("rules --data empty.csv --min-support 1", "empty.csv has no baskets"),
        ("rules --data blank.csv --min-support 1", "blank.csv has no baskets"),
        ("rules --data latin.csv --min-support 1", "latin.csv, line 1: the text is not UTF-8"),
        ("rules --data folder --min-support 1", "folder is a folder; give a file of baskets"),
        ("rules --data none.csv --min-support 1", "none.csv does not exist"),
    ] {
        here.bad(line, says);
    }
    assert_eq!(here.read("b.csv"), BASKETS);
    assert!(!here.path("rules.csv").exists() && !here.path("g.png").exists());
}

#[test]
fn a_run_is_no_file_of_baskets() {
    let here = program();
    let small = "--set hidden=[[4]] --set latent_dims=[2] --set sample_count=0";
    here.good(&format!("train vae --steps 1 --skip-test --out run {small}"));
    here.bad("rules --data run --min-support 1", "run is a run; give a file of baskets");
    here.write("b.csv", BASKETS);
    here.bad(
        "rules --data b.csv --min-support 1 --out run/rules.csv --graph run/config.toml",
        ".png",
    );
}

#[test]
fn formats_are_told_apart_and_can_be_said() {
    let here = program();
    for (name, text, format, baskets) in [
        ("crlf.csv", "a,b\r\na,b\r\n\r\nb\r\n", "a basket a line, items separated by commas", 3),
        ("numbers.dat", "1 2\n2 3\n", "a basket a line, items separated by blanks", 2),
        (
            "long.csv",
            "order,item\n1,a\n1,b\n2,a\n",
            "a long table, a basket and an item a line,",
            2,
        ),
        ("table.csv", "a,b\n1,0\n0,0\n1,1\n", "a 0/1 table, an item a column,", 3),
        ("one.csv", "a,b,c\n", "a basket a line", 1),
    ] {
        here.write(name, text);
        let output = here.run(&format!("rules --data {name} --min-support 1 --json"));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["baskets"], baskets, "{name}: {said}");
        let noted = errors(&here.run(&format!("rules --data {name} --sets --min-support 1")));
        assert!(noted.contains(format) && noted.contains("(--format says otherwise)"), "{noted}");
    }
    let said = here.json("rules --data long.csv --min-support 1 --format baskets");
    assert_eq!((&said["baskets"], &said["blank_lines"]), (&4.into(), &0.into()), "{said}");
    let noted = errors(&here.run("rules --data crlf.csv --min-support 1 --format baskets"));
    assert!(
        !noted.contains("--format") && noted.contains("1 blank line is passed over"),
        "{noted}"
    );
}

#[test]
fn a_pipe_is_read_once() {
    let here = program();
    let mut child = here
        .command("rules --data - --sets --min-support 2 --json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BASKETS.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["sets"], &said["by_size"]),
        (&4.into(), &serde_json::json!([3, 1])),
        "{said}"
    );
}

#[test]
fn a_basket_of_ten_thousand_items_is_no_trouble() {
    let here = program();
    let long: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
    here.write("long.dat", format!("{}\n{}\n1 2\n", long.join(" "), long.join(" ")));
    let said = here.json("rules --data long.dat --sets --min-support 2 --maximal");
    assert_eq!(said["sets"], 1, "{said}");
    assert_eq!(said["by_size"].as_array().unwrap().len(), 10_000);
}

/// More sets than memory for their rules, and more than anybody would wait for.
#[test]
fn the_memory_limit_keeps_what_was_found() {
    let here = program();
    here.write("d.txt", dense(300, 40));
    let line = "rules --data d.txt --min-support 1 --max-memory 32M --json";
    let output = here.run(line);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("memory limit") && said.contains("--max-memory"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["complete"], &report["tests"]), (&false.into(), &"nan".into()), "{report}");
    let written = here.read("rules.csv");
    assert_eq!(written.lines().count() as u64 - 1, report["rules"].as_u64().unwrap());
    assert!(written.lines().count() > 1000 && written.ends_with(",nan\n"));
    for line in written.lines().skip(1).step_by(997) {
        let confidence: f64 = line.rsplit(',').nth(4).unwrap().parse().unwrap();
        assert!((0.8..=1.0).contains(&confidence), "{line}");
    }
}

#[test]
fn a_file_larger_than_memory_has_the_same_sets() {
    let here = program();
    // 24 MB of baskets, of which 16 MiB are allowed.
    let row = |b: u64| {
        let holds = |i: &u64| (b * 2_654_435_761 + i * i * 97_003 + b * i) % 1013 < 700 / (i + 3);
        let items: Vec<String> = (0..60).filter(holds).map(|i| format!("i{i}")).collect();
        items.join(" ") + "\n"
    };
    here.write("many.dat", (0..1_200_000).map(row).collect::<String>());
    for (support, kind) in
        [("0.002", ""), ("0.002", " --closed"), ("900", " --maximal"), ("0.002", " --contains i3")]
    {
        let line = format!("rules --data many.dat --sets --min-support {support}{kind} --out");
        let whole = here.json(&format!("{line} whole.jsonl"));
        let parts = here.json(&format!("{line} parts.jsonl --max-memory 32M"));
        assert_eq!(whole["parts"], 0);
        assert!(parts["parts"].as_u64().unwrap() > 1, "{parts}");
        for key in ["sets", "by_size", "baskets", "min_count"] {
            assert_eq!(whole[key], parts[key], "{key}");
        }
        assert!(whole["sets"].as_u64().unwrap() > 20, "{whole}");
        assert_eq!(sets_of(&here, "whole.jsonl"), sets_of(&here, "parts.jsonl"));
    }
    let line = "rules --data many.dat --min-support 0.002 --min-confidence 0.1 --out";
    here.good(&format!("{line} whole.csv"));
    let output = here.run(&format!("{line} parts.csv --max-memory 32M"));
    assert!(errors(&output).contains("is mined in parts"), "{}", errors(&output));
    assert_eq!(here.read("whole.csv"), here.read("parts.csv"));
    here.bad(&format!("{line} no.csv --max-memory 32M --holdout 0.5"), "memory limit");
    here.bad("rules --data many.dat --sets --top 5 --max-memory 32M", "memory limit");
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_was_found() {
    use std::time::{Duration, Instant};
    let here = program();
    here.write("d.txt", dense(400, 60));
    let child = here
        .command("rules --data d.txt --sets --min-support 1 --threads 2 --max-memory 4G")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Until some sets are in the hidden file.
    let began = Instant::now();
    let grows = || {
        let files = std::fs::read_dir(here.folder()).unwrap().flatten();
        files
            .filter(|f| f.file_name().to_string_lossy().ends_with(".tmp"))
            .any(|file| file.metadata().is_ok_and(|meta| meta.len() > 1 << 16))
    };
    while !grows() {
        assert!(began.elapsed() < Duration::from_secs(120), "nothing is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted; what was found before is written"), "{said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.ends_with("wrote sets.csv\n"), "{printed}");
    let text = here.read("sets.csv");
    assert!(text.lines().count() > 1000 && text.ends_with('\n'));
}

#[test]
fn rules_of_groceries_are_those_of_other_programs() {
    let Some(data) = data_dir_with("fimi") else { return };
    let here = program();
    let file = data.join("fimi/groceries.csv.gz").display().to_string();
    let said = here.json(&format!("rules --data {file} --min-support 0.01 --min-confidence 0.5"));
    // R's arules has 15 rules at these thresholds.
    assert_eq!(
        (&said["rules"], &said["baskets"], &said["items"]),
        (&15.into(), &9835.into(), &169.into())
    );
    let said = here.json(&format!("rules --data {file} --sets --min-support 0.01"));
    assert_eq!(said["by_size"], serde_json::json!([88, 213, 32]), "{said}");
    let held = here.json(&format!(
        "rules --data {file} --min-support 0.01 --min-confidence 0.3 --holdout 0.5 --productive"
    ));
    let (rules, sure) = (held["rules"].as_u64().unwrap(), held["significant"].as_u64().unwrap());
    assert!(rules > 50 && sure > rules / 2 && held["tests"] == rules as f64, "{held}");
    let same = here.read("rules.csv");
    here.good(&format!(
        "rules --data {file} --min-support 0.01 --min-confidence 0.3 --holdout 0.5 --productive \
         --threads 1 --seed 0"
    ));
    assert_eq!(same, here.read("rules.csv"));
}
