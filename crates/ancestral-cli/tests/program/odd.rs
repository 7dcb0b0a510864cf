//! Odd names, numbers and files: they work, or are refused at once and in words.

#![cfg(unix)]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ancestral_test_support::{Program, copy_folder, errors};
use serde_json::Value;

use crate::{PROGRAM, program};

const SMALL: &str = "--quiet --skip-test --set hidden=[[4]] --set latent_dims=[2] --steps 2 \
                     --set sample_count=0";

/// Runs the program with words that need not be UTF-8; `\` begins a byte that is not.
fn odd(here: &Program, line: &str) -> Output {
    let word = |text: &str| {
        let bytes: Vec<u8> = text.bytes().map(|b| if b == b'\\' { 0xff } else { b }).collect();
        OsStr::from_bytes(&bytes).to_owned()
    };
    let words: Vec<OsString> = line.split_whitespace().map(word).collect();
    Command::new(PROGRAM).args(words).current_dir(here.folder()).output().unwrap()
}

#[track_caller]
fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let said = errors(output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words), "{words}: {said}");
}

#[test]
fn folders_whose_names_are_not_utf8_work_and_are_shown() {
    let here = program();
    let json = |line: &str| -> Value {
        let said = good(&odd(&here, &format!("{line} --json")));
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{line}: {e}: {said}"))
    };
    let small = SMALL.replace("--quiet", "");
    let trained = json(&format!("train vae --out r\\n {small}"));
    assert_eq!(trained["run"], "r\u{fffd}n");
    for (line, key, shown) in [
        ("sample r\\n -n 4 --out s\\.csv", "out", "s\u{fffd}.csv"),
        ("sample r\\n -n 4 --out s\\/", "out", "s\u{fffd}/"),
        ("score r\\n --data digits --samples 1 --split test --out s\\.csv", "out", "s\u{fffd}.csv"),
        ("evaluate r\\n --samples 1 --limit 2", "run", "r\u{fffd}n"),
        ("evaluate r\\n --quality --samples-count 100", "run", "r\u{fffd}n"),
        ("encode r\\n --out c\\.npy", "out", "c\u{fffd}.npy"),
        ("reconstruct r\\n --out c\\.png", "out", "c\u{fffd}.png"),
        ("interpolate r\\n --out i\\.png", "out", "i\u{fffd}.png"),
        ("latent r\\n --out l\\.npy", "out", "l\u{fffd}.npy"),
        ("pack r\\n --out p\\", "out", "p\u{fffd}"),
        ("fit bernoulli --counts 3/4 --out f\\.png", "out", "f\u{fffd}.png"),
        ("explain density --out e\\", "out", "e\u{fffd}"),
        ("data show digits --out d\\.png", "out", "d\u{fffd}.png"),
        ("train --resume r\\n --steps 3 --skip-test", "run", "r\u{fffd}n"),
    ] {
        assert_eq!(json(line)[key], shown, "{line}");
        if line.contains("--out ") {
            good(&odd(&here, &line.replace("--out ", "--out more-")));
        }
    }
    let runs = json("runs r\\n p\\");
    assert_eq!(runs[0]["run"], "r\u{fffd}n", "{runs}");
    assert!(good(&odd(&here, "runs .")).contains("r\u{fffd}n"));
    let list = json("data list --data-dir d\\");
    assert!(list[0]["name"].is_string(), "{list}");
    // What is wrong is said of such names, too.
    refused(&odd(&here, &format!("train vae --out r\\n {SMALL}")), "r\u{fffd}n already exists");
    refused(&odd(&here, "sample nowhere\\ -n 2 --out s.csv --json"), "nowhere\u{fffd}");
    refused(&odd(&here, "sample --nowhere\\ --json"), "error");
}

#[test]
fn data_whose_path_is_not_utf8_is_refused_and_said_why() {
    let here = program();
    for line in ["train vae --data a\\.csv", "train vae --data a\\.csv --json", "data show \\"] {
        refused(&odd(&here, line), "is not UTF-8, and the settings of a run");
    }
    let folder = here.folder().join(OsStr::from_bytes(b"in\xff"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("rows.csv"), "a,b\n0,1\n".to_owned() + &"1,0\n0,1\n".repeat(20))
        .unwrap();
    let line = format!("train nade --data rows.csv --set hidden=2 --steps 1 {}", "--quiet");
    let output = Command::new(PROGRAM).args(line.split(' ')).current_dir(&folder).output().unwrap();
    refused(&output, "the path of the data is not UTF-8");
    assert!(!folder.join("runs").exists());
    // The images in a folder may be called as they like.
    let images = here.path("images");
    for class in [&b"caf\xe9"[..], b"tea"] {
        let class = images.join(OsStr::from_bytes(class));
        std::fs::create_dir_all(&class).unwrap();
        for i in 0..9u8 {
            let image = ancestral_plot::Image::filled(4, 4, [i * 20; 3]);
            image
                .save_png(class.join(OsStr::from_bytes(&[i + b'0', 0xff, b'.', b'p', b'n', b'g'])))
                .unwrap();
        }
    }
    let said = here.json("data show images --out sheet.png");
    assert_eq!(said["summary"]["classes"], 2, "{said}");
    assert!(said.to_string().contains("caf\u{fffd}"), "{said}");
    // A run to start from is named by the settings, too.
    good(&odd(&here, &format!("train vae --out r\\ {SMALL}")));
    refused(&odd(&here, "train --from r\\ --steps 1"), "the run to start from is not UTF-8");
}

#[test]
fn what_terminals_obey_never_comes_from_files() {
    let here = program();
    here.write(
        "odd\u{1b}[31m.csv",
        "a\u{1b}[2J,b\u{9b}\n0,1\n1,0\n".to_owned() + &"0,1\n".repeat(30),
    );
    let is_harmless = |output: &Output| {
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(bytes);
            let obeyed = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c));
            assert_eq!(obeyed, None, "{text:?}");
        }
    };
    let name = "odd\u{1b}[31m.csv";
    let train = format!("train nade --data {name} --set hidden=2 --steps 1 --out run");
    let output = here.run(&train);
    assert!(output.status.success(), "{}", errors(&output));
    is_harmless(&output);
    for line in [
        &format!("data show {name}"),
        &format!("data show {name} --json"),
        "runs .",
        "runs . --json",
        "fit bernoulli --data odd\u{1b}[31m.csv --out fitted",
        "evaluate run",
        "evaluate run --json",
        "train --resume run --steps 2",
        "data show bad\u{1b}[31m.csv",
    ] {
        is_harmless(&here.run(line));
    }
    // A configuration that a stranger wrote.
    let config = here.read("run/config.toml");
    let evil = config.replace("model = \"nade\"", "model = \"na\\u001b[2Jde\"");
    assert_ne!(config, evil);
    here.write("run/config.toml", evil);
    for line in ["runs .", "runs . --json", "evaluate run", "evaluate run --json"] {
        is_harmless(&here.run(line));
    }
}

#[test]
fn one_odd_folder_does_not_spoil_the_list_of_runs() {
    let here = program();
    here.good(&format!("train vae --out runs/good {SMALL}"));
    let odd_names: [&[u8]; 2] = [b"\xff\xfe", b"a\x1b[31m"];
    for name in odd_names {
        let path = here.path("runs").join(OsStr::from_bytes(name));
        copy_folder(&here.path("runs/good"), &path);
    }
    for (name, text) in [("text", &b"not toml ["[..]), ("bytes", b"\xff\xfe"), ("empty", b"")] {
        std::fs::create_dir(here.path("runs").join(name)).unwrap();
        std::fs::write(here.path("runs").join(name).join("config.toml"), text).unwrap();
    }
    std::fs::create_dir_all(here.path("runs/folder/config.toml")).unwrap();
    let list = here.json("runs");
    assert_eq!(list.as_array().unwrap().len(), 3, "{list}");
    let output = here.run("runs runs/good runs/text runs/bytes --json");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert!(errors(&output).contains("skipped"), "{}", errors(&output));
    here.bad("runs runs/text", "TOML");
}

#[test]
fn numbers_beyond_sense_are_refused_with_what_is_allowed() {
    let here = program();
    let most = "give at most 9007199254740992";
    for (flags, words) in [
        ("--epochs 1418980313362273202", most),
        ("--steps 18446744073709551615", most),
        ("--set epochs=1418980313362273202", most),
        ("--set steps=9223372036854775807", most),
        ("--set seconds=1e30", "give at most"),
        ("--time 1e308h", "give at most 2777777h"),
        ("--time 1e308", "give at most"),
        ("--time infh", "give at most"),
        ("--time nan", "write seconds"),
        ("--batch-size 18446744073709551615", "give at most"),
    ] {
        here.bad(&format!("train vae {flags}"), words);
    }
    assert!(!here.path("runs").exists());
    here.bad("explain elbo --epochs 18446744073709551615", most);
    for (variable, value) in [("RAYON_NUM_THREADS", "100000"), ("RAYON_RS_NUM_CPUS", "9999999999")]
    {
        let mut command = here.command("runs");
        let output = command.env(variable, value).output().unwrap();
        refused(&output, &format!("{variable}={value}: this machine has"));
        let output = here.command("runs").env(variable, "2").output().unwrap();
        assert!(output.status.success());
        // The flag counts before the environment.
        let output = here.command("runs --threads 1").env(variable, value).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }
}

#[test]
fn samples_are_written_part_by_part_and_are_the_same() {
    let here = program();
    here.good(&format!("train vae --out run {SMALL}"));
    // More than one part of 65 536 samples of 64 entries.
    for kind in ["npy", "csv"] {
        here.good(&format!("sample run -n 70000 --out many.{kind} --quiet"));
        here.good(&format!("sample run -n 300 --out few.{kind} --quiet"));
    }
    let (many, few) = (here.read("many.csv"), here.read("few.csv"));
    assert!(many.starts_with(&few) && many.lines().count() == 70_001);
    let (many, few) = (here.bytes("many.npy"), here.bytes("few.npy"));
    assert!(many[128..].starts_with(&few[128..]) && many.len() == 128 + 4 * 64 * 70_000);
    here.good("sample run -n 30 --out images/ --quiet");
    let mut names: Vec<_> = std::fs::read_dir(here.path("images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 30 && names[0] == "000000.png" && names[29] == "000029.png");
    // They are read as data, and hold what the array does.
    let said = here.json("data show images --out sheet.png");
    assert_eq!(said["summary"]["shape"], serde_json::json!([1, 8, 8]), "{said}");
    here.bad("sample run -n 5 --out images/", "already exists");
    here.bad("sample run -n 5 --out images", "must end in");
}

#[test]
fn a_folder_that_is_removed_ends_the_run() {
    let here = program();
    let small = "--set hidden=[[4]] --set latent_dims=[2] --set checkpoint_seconds=0 --quiet";
    for (name, with) in [("removed", None), ("replaced", Some("other"))] {
        let line = format!("train vae --epochs 1000000 --out {name} {small}");
        let mut run = here.command(&line);
        let run = run.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let there = here.path(name);
        while !there.join("model.safetensors").exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // Between two files of a checkpoint the folder may be filled again while it is removed.
        let gone = here.path("gone");
        std::fs::rename(&there, &gone).unwrap();
        if let Some(other) = with {
            here.good(&format!("train vae --epochs 1 --out {other} {small}"));
            copy_folder(&here.path(other), &there);
        }
        let before = there.exists().then(|| std::fs::read(there.join("last.safetensors")).unwrap());
        let output = run.wait_with_output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("was removed or replaced while it was trained in"), "{said}");
        let after = there.exists().then(|| std::fs::read(there.join("last.safetensors")).unwrap());
        assert!(before == after, "{name}");
        std::fs::remove_dir_all(&gone).unwrap();
    }
}

#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let here = program();
    here.good(&format!("train vae --out run {SMALL}"));
    here.write("precious", "kept");
    for file in ["lock", "events.jsonl"] {
        let path = here.path("run").join(file);
        let old = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(here.path("precious"), &path).unwrap();
        let output = here.run("train --resume run --steps 3 --skip-test");
        let said = errors(&output);
        assert!(!output.status.success() && said.contains("symbolic link"), "{file}: {said}");
        assert_eq!(here.read("precious"), "kept");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, old).unwrap();
    }
    here.good("train --resume run --steps 3 --skip-test --quiet");
}

#[test]
fn programs_that_start_at_once_get_one_folder_each() {
    for count in [2, 6, 20] {
        let here = program();
        let start = |i: usize| {
            // Two of three are trained, one is fitted.
            let line = match i % 3 {
                2 => "fit bernoulli --data digits --binarize threshold --quiet".to_owned(),
                _ => format!("train vae {SMALL}"),
            };
            here.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let all: Vec<_> = (0..count).map(start).collect();
        let mut runs: Vec<String> =
            all.into_iter().map(|child| good(&child.wait_with_output().unwrap())).collect();
        runs.sort();
        runs.dedup();
        assert_eq!(runs.len(), count, "{runs:?}");
        assert_eq!(std::fs::read_dir(here.path("runs")).unwrap().count(), count);
    }
}

#[test]
fn damaged_events_are_skipped_and_said() {
    let here = program();
    here.good(&format!("train vae --out runs/a {SMALL}"));
    let events = here.bytes("runs/a/events.jsonl");
    let end = events.iter().position(|&b| b == b'\n').unwrap() + 1;
    let damaged = [&events[..end], b"\xff\xfe{}\n", &events[end..]].concat();
    std::fs::write(here.path("runs/a/events.jsonl"), damaged).unwrap();
    for line in ["runs", "runs --json", "train --resume runs/a --skip-test"] {
        let output = here.run(line);
        let said = errors(&output);
        assert!(output.status.success(), "{line}: {said}");
        assert!(said.contains("skipped 1 damaged line of events.jsonl"), "{line}: {said}");
    }
    assert!(here.json("runs")[0]["finished"] == true);
}

/// The header of a file of tensors as text, and what is behind it.
fn parts(file: &[u8]) -> (String, &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (String::from_utf8(header.to_vec()).unwrap().trim_end().to_owned(), tensors)
}

fn whole(mut header: String, tensors: &[u8]) -> Vec<u8> {
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
}

#[test]
fn a_checkpoint_without_its_moments_is_refused_unless_the_optimizer_is_reset() {
    let here = program();
    here.good(&format!("train vae --out run {SMALL}"));
    let file = here.bytes("run/last.safetensors");
    let (header, tensors) = parts(&file);
    let name = "moments/first/model.";
    assert!(header.contains(name), "{header}");
    let listed = header.find(r#"\"moments\":["#).unwrap();
    let end = listed + header[listed..].find(']').unwrap() + 1;
    let unlisted = format!("{}\\\"moments\\\":[]{}", &header[..listed], &header[end..]);
    let nameless = format!("{}{}", header[..listed].trim_end_matches(','), &header[end..]);
    for (header, words) in [
        (header.replacen(name, "moments/other/model.", 1), "is listed in the record and missing"),
        (unlisted, "is not listed in the record"),
        (nameless.replacen(name, "moments/other/model.", 1), "belongs to no weight"),
        (nameless.replacen(name, "moments/first/other.", 1), "belongs to no weight"),
    ] {
        std::fs::write(here.path("run/last.safetensors"), whole(header, tensors)).unwrap();
        let said = here.bad("train --resume run --steps 3 --skip-test", words);
        assert!(said.contains("--reset-optimizer"), "{said}");
        // Weights need no moments.
        here.good("sample run --weights last -n 2 --out drawn.csv --quiet");
        here.good("runs run");
    }
    here.good("train --resume run --steps 3 --skip-test --quiet --reset-optimizer");
    // A list is no must: earlier versions wrote none.
    std::fs::write(here.path("run/last.safetensors"), whole(nameless, tensors)).unwrap();
    here.good("train --resume run --steps 4 --skip-test --quiet");
    here.bad("train vae --reset-optimizer", "--resume");
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn files_that_are_none_are_refused_at_once() {
    let here = program();
    here.good(&format!("train vae --out run {SMALL}"));
    pipe(&here.path("pipe.csv"));
    pipe(&here.path("pipe.toml"));
    let _socket = UnixListener::bind(here.path("socket.csv")).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, here.path(name)).unwrap();
    link("pipe.csv", "link.csv");
    link("/dev/zero", "zero.csv");
    for (data, kind) in [
        ("pipe.csv", "is a pipe"),
        ("link.csv", "is a pipe"),
        ("socket.csv", "is a socket"),
        ("zero.csv", "is a device"),
        ("/dev/zero", "is a device"),
        ("-", "is standard input"),
    ] {
        here.bad(&format!("train nade --data {data}"), kind);
        here.bad(&format!("fit gaussian --data {data}"), kind);
        if kind != "is a pipe" && data != "-" {
            here.bad(&format!("score run --data {data}"), kind);
            here.bad(&format!("data show {data}"), kind);
        }
    }
    here.bad("train --config pipe.toml", "is a pipe");
    here.bad("train --config /dev/zero", "is a device");
    // In a folder of images, and in that of a run.
    std::fs::create_dir(here.path("images")).unwrap();
    pipe(&here.path("images/a.png"));
    here.bad("data show images", "is a pipe");
    std::fs::remove_file(here.path("images/a.png")).unwrap();
    link("/dev/zero", "images/a.png");
    here.bad("train vae --data images", "is a device");
    for file in ["config.toml", "model.safetensors", "last.safetensors"] {
        let path = here.path("run").join(file);
        let old = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        pipe(&path);
        if file != "model.safetensors" {
            here.bad("train --resume run --steps 3", "is a pipe");
        }
        if file != "last.safetensors" {
            here.bad("sample run -n 2 --out drawn.csv", "is a pipe");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, old).unwrap();
    }
}

#[test]
fn loops_of_links_are_walked_once() {
    let here = program();
    std::fs::create_dir_all(here.path("images/a")).unwrap();
    std::fs::create_dir_all(here.path("images/b")).unwrap();
    for i in 0..8u8 {
        let name = format!("images/{}/{i}.png", ["a", "b"][usize::from(i % 2)]);
        ancestral_plot::Image::filled(3, 3, [i * 30; 3]).save_png(here.path(&name)).unwrap();
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, here.path(name)).unwrap();
    link("..", "images/a/up");
    link(".", "images/b/here");
    let said = here.json("data show images --out sheet.png");
    let examples = |said: &Value| -> u64 {
        let splits = said["summary"]["splits"].as_array().unwrap();
        splits.iter().map(|split| split["examples"].as_u64().unwrap()).sum()
    };
    assert_eq!(examples(&said), 8, "{said}");
}

#[test]
fn pipes_are_read_once_as_csv() {
    let here = program();
    let rows = "a,b,c\n".to_owned() + &"0,1,0\n1,0,1\n1,1,0\n".repeat(20);
    here.write("rows.csv", &rows);
    here.good("train nade --data rows.csv --set hidden=2 --steps 2 --out run --quiet");
    let given = |line: &str| {
        let mut child = here
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(rows.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}: {}", errors(&output));
        output.stdout
    };
    here.good("score run --data rows.csv --out file.csv --quiet");
    for data in ["-", "/dev/stdin"] {
        given(&format!("score run --data {data} --out piped.csv --quiet"));
        assert!(here.read("file.csv") == here.read("piped.csv"), "{data}");
        let said: Value =
            serde_json::from_slice(&given(&format!("data show {data} --json"))).unwrap();
        assert_eq!(said["summary"]["columns"], serde_json::json!(["a", "b", "c"]));
        given(&format!("evaluate run --data {data} --json"));
    }
    // A pipe with a name.
    pipe(&here.path("pipe"));
    let path = here.path("pipe");
    let writer = std::thread::spawn(move || std::fs::write(path, rows).unwrap());
    here.good("score run --data pipe --out piped.csv --quiet");
    writer.join().unwrap();
    assert!(here.read("file.csv") == here.read("piped.csv"));
}

#[test]
fn lines_without_an_end_are_wrong_input() {
    let here = program();
    let long = vec![b'1'; (64 << 20) + 10];
    for name in ["long.csv", "long.txt", "long.amat"] {
        here.write(name, &long);
        here.bad(&format!("data show {name}"), "line 1");
        here.bad(&format!("data show {name}"), "longer than 64 MiB, the most that is read");
    }
    here.write("quoted.csv", [&b"a,b\n1,2\n\"3,"[..], &b"\n".repeat((64 << 20) + 10)].concat());
    here.bad("data show quoted.csv", "longer than 64 MiB");
}

/// What people type: negative numbers, names in capitals, and the weights' file for its run.
#[test]
fn small_slips_are_answered_or_understood() {
    let here = program();
    let rows = "1,2\n2,1\n3,5\n4,4\n5,3\n6,1\n7,2\n8,9\n".repeat(4);
    here.write("rows.csv", format!("a,b\n{rows}"));
    for (command, answer) in [
        ("train vae --data digits --steps -3", "'-3' for '--steps <N>': it must be a whole number"),
        ("train vae --data digits --time -3s", "-3s"),
        ("sample run -n -4", "'-4' for '--n <N>': it must be"),
        ("evaluate run --limit -1", "'-1' for '--limit <"),
        ("train vae --data digits --steps many", "it must be a whole number, 0 or more"),
        ("train vae --data digits --steps 99999999999999999999", "it is too large"),
        ("sample rows.csv -n 4", "rows.csv is not a run folder"),
    ] {
        here.bad(command, answer);
    }
    here.good("fit gamma --data rows.csv --column a --above -1 --all-train");
    let tiny = "--data digits --steps 2 --set sample_count=0";
    here.good(&format!("train VAE {tiny} --set latent_dims=[2] --set hidden=[[4]] --out run"));
    here.good(&format!("train Pixel_CNN {tiny} --set layers=1 --set hidden=2 --out pixels"));
    here.good("sample run/model.safetensors -n 4 --out by-file.png");
    here.good("sample run -n 4 --out by-folder.png");
    let image = |name: &str| std::fs::read(here.path(name)).unwrap();
    assert_eq!(image("by-file.png"), image("by-folder.png"));
}
