//! The files of a run folder and the words in them, as `docs/formats.md` lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ancestral::run::RunFolder;
use ancestral::train::Event;
use ancestral_test_support::{Listed, Program, assert_listed, keys, listed};
use serde_json::{Map, Value};
use toml::Table;

use crate::program;

type Words = BTreeSet<String>;

fn row<'a>(rows: &'a [Listed], of: &str) -> &'a Listed {
    rows.iter().find(|row| row.of == of).unwrap_or_else(|| panic!("no row '{of}'"))
}

/// The runs by their folders.
const RUNS: [&str; 8] = ["vae", "gan", "images", "nade", "features", "ae", "rows", "table"];
/// Those of clusters.
const CLUSTERED: [&str; 4] = ["means", "tree", "map", "image-map"];
/// The file that TensorBoard reads.
const BOARD: &str = "events.out.tfevents.0000000000.ancestral";

/// Small runs that between them write every file and every word.
fn train(here: &Program) {
    let small = "--quiet --set sample_count=4 --set";
    let vae = "vae --epochs 1 --set latent_dims=[2] --set hidden=[[4]] --batch-size 700 --out vae";
    // A generator that does not learn is warned of.
    let gan =
        "ns-gan --data moons --steps 100 --batch-size 200 --out gan --set generator_norm=none";
    let ae = "ae --data drawn --resize 8x8 --background white --steps 1 --out ae";
    let table: String = (0..250).map(|i| format!("{i}.5,{},{}\n", i % 7, i * i % 31)).collect();
    here.write("table.csv", format!("a,b,c\n{table}"));
    for command in [
        format!("{vae} {small} average_decay=0.9"),
        format!("{gan} {small} learning_rate=1e-9"),
        format!("cgan --steps 1 --out images --set network=mlp {small} critic_hidden=[4]"),
        format!("nade --binarize threshold --steps 1 --out nade {small} hidden=4"),
        format!("features --steps 1 --out features {small} channels=[4]"),
        format!("{ae} {small} hidden=[4]"),
        format!("rnade --data rows.csv --fold 1 --steps 1 --out rows {small} hidden=4"),
        format!("gan --data table.csv --steps 1 --out table {small} critic_hidden=[4]"),
    ] {
        here.good(&format!("train {command}"));
    }
    here.good("train --resume vae --epochs 2 --quiet");
    here.good("pack vae --out packed --quiet");
    here.good("fit gaussian --data digits --out fit --quiet");
    for command in [
        "kmeans --data digits --set n_clusters=2..3 --out means",
        "hdbscan --data rows.csv --out tree",
        "som --data rows.csv --set rows=2 --set columns=2 --out map",
        "som --data digits --set rows=2 --set columns=2 --set epochs=2 --out image-map",
    ] {
        here.good(&format!("cluster {command} --no-indices --quiet"));
    }
}

/// The tags of the scalars and images in an event file.
fn tags(bytes: &[u8]) -> Words {
    let mut found = Words::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        // A checksum stands behind the length, and one behind the message.
        let length = u64::from_le_bytes(*length) as usize;
        let message = &after[4..4 + length];
        rest = &after[4 + length + 4..];
        // Time and step come first; field 5 holds one value, which begins with its tag. Lengths are
        // numbers of several bytes, of which all but the last have their highest bit set.
        let number = |at: usize| at + message[at..].iter().take_while(|&&b| b >= 0x80).count() + 1;
        let at = number(10);
        if message[at] == 5 << 3 | 2 {
            let value = number(at + 1);
            assert_eq!(message[value], 1 << 3 | 2);
            let tag = number(value + 1);
            assert_eq!(message[tag], 1 << 3 | 2);
            let name = &message[tag + 2..tag + 2 + usize::from(message[tag + 1])];
            found.insert(String::from_utf8(name.to_vec()).unwrap());
        }
    }
    found
}

/// Events of all runs: their keys, kinds and values, and the tags of the same in TensorBoard's files.
fn check_events(here: &Path) {
    let (rows, models) = (listed("Events"), listed("Metrics"));
    let mut lines: Vec<Value> = Vec::new();
    let mut kinds: BTreeMap<String, Words> = BTreeMap::new();
    for run in RUNS {
        let folder = RunFolder::open(&here.join(run)).unwrap();
        let of_model = models.iter().find(|row| row.names.contains(&folder.config.model)).unwrap();
        let text = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        let mut expected = Words::new();
        for event in folder.events().unwrap() {
            let own = match event {
                Event::Train(_) => &of_model.cells[0],
                Event::Valid(_) => &of_model.cells[1],
                _ => &Words::new(),
            };
            let known = kinds.entry(event.kind().to_owned()).or_default();
            if let Event::Image(image) = &event {
                expected.insert(format!("image/{}", image.name));
                known.insert(image.name.clone());
            }
            for (name, _) in event.entry().map_or(&[][..], |entry| &entry.values) {
                expected.insert(format!("{}/{name}", event.kind()));
                if !own.contains(name) {
                    known.insert(name.clone());
                }
            }
        }
        assert_eq!(tags(&std::fs::read(folder.path().join(BOARD)).unwrap()), expected, "{run}");
    }
    assert_listed(
        "keys of an event",
        &keys(&lines.iter().collect::<Vec<_>>()),
        &row(&rows, "each line").words(),
    );
    let named: Words = rows.iter().flat_map(|row| row.names.iter().cloned()).collect();
    assert_listed("kinds of events", &kinds.keys().cloned().collect(), &named);
    for (kind, values) in kinds {
        assert_listed(&format!("values of {kind}"), &values, &row(&rows, &kind).words());
    }
}

fn check_config(here: &Path) {
    let (rows, settings) = (listed("The file config.toml"), listed("Settings"));
    let (mut top, mut data) = (Words::new(), Words::new());
    for run in RUNS {
        let text = std::fs::read_to_string(here.join(run).join("config.toml")).unwrap();
        let config: Table = text.parse().unwrap();
        assert_eq!(config["format"].as_integer(), Some(2), "{run}");
        let names =
            |table: &str| -> Words { config[table].as_table().unwrap().keys().cloned().collect() };
        top.extend(config.keys().cloned());
        data.extend(names("data"));
        assert_listed(run, &names("train"), &row(&settings, "train").words());
        let model = config["model"].as_str().unwrap();
        let known = settings.iter().find(|row| row.names.iter().any(|name| name == model)).unwrap();
        let unknown: Vec<String> = names("settings").difference(&known.words()).cloned().collect();
        assert!(unknown.is_empty(), "{run}: {unknown:?} are in no list");
    }
    let config = |run: &str| -> Table {
        std::fs::read_to_string(here.join(run).join("config.toml")).unwrap().parse().unwrap()
    };
    let packed = config("packed");
    let of = |config: &Table| -> Words {
        config["result"].as_table().unwrap().keys().cloned().collect()
    };
    let result = &of(&packed) | &of(&config("fit"));
    assert_listed("keys of result", &result, &row(&rows, "result").words());
    top.extend(packed.keys().cloned());
    // These stand where there is something to say.
    top.extend(["from", "encoder"].map(str::to_owned));
    let others = ["fold", "resize", "background", "kinds", "categories", "data_dir", "text"];
    data.extend(others.map(str::to_owned));
    data.extend(["image", "asked_levels", "no_labels", "histogram"].map(str::to_owned));
    data.extend(["chosen", "whole", "real", "censored", "class"].map(str::to_owned));
    assert_listed("keys of config.toml", &top, &row(&rows, "the file").words());
    assert_listed("keys of data", &data, &row(&rows, "data").words());
}

/// The names of a file's tensors, the keys of its metadata, and the record in that.
fn header(path: &Path) -> (Words, Words, Value) {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header.remove("__metadata__").unwrap();
    let record = serde_json::from_str(metadata["ancestral"].as_str().unwrap()).unwrap();
    let metadata = metadata.as_object().unwrap().keys().cloned().collect();
    (header.keys().cloned().collect(), metadata, record)
}

fn check_checkpoints(here: &Path) {
    let (rows, tensors) = (listed("Checkpoints"), listed("Tensors"));
    for file in ["last.safetensors", "model.safetensors"] {
        let mut prefixes = Words::new();
        let mut records: Vec<Value> = Vec::new();
        for run in RUNS {
            let model = RunFolder::open(&here.join(run)).unwrap().config.model;
            let known = tensors.iter().find(|row| row.names.contains(&model)).unwrap().words();
            let (names, metadata, record) = header(&here.join(run).join(file));
            assert_listed("metadata", &metadata, &row(&rows, "metadata").words());
            records.push(record);
            for name in names {
                let (prefix, tensor) = name.rsplit_once('/').unwrap_or(("", &name));
                if !prefix.is_empty() {
                    prefixes.insert(format!("{prefix}/"));
                }
                let is_number = |part: &str| part.parse::<usize>().is_ok();
                let parts = tensor.split('.').map(|part| if is_number(part) { "N" } else { part });
                let numbered = parts.collect::<Vec<_>>().join(".");
                assert!(known.contains(&numbered), "{run}: {name} is in no list");
            }
        }
        let row = row(&rows, file);
        assert_listed(&format!("prefixes of {file}"), &prefixes, &row.cells[0]);
        let found = keys(&records.iter().collect::<Vec<_>>());
        assert_listed(&format!("record of {file}"), &found, &row.cells[1]);
    }
}

fn check_files(here: &Path) {
    let rows = listed("Files of a run folder");
    let mut found = Words::new();
    for run in RUNS {
        let names = |folder: &str| -> Vec<String> {
            let entries = std::fs::read_dir(here.join(run).join(folder)).into_iter().flatten();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        found.extend(names("").into_iter().filter(|name| name != "samples"));
        let digit = |c: char| c.is_ascii_digit();
        found.extend(names("samples").iter().map(|name| {
            let stem = name.strip_suffix(".png").unwrap();
            format!("samples/{}N.png", stem.trim_end_matches(digit))
        }));
    }
    for run in CLUSTERED {
        let entries = std::fs::read_dir(here.join(run)).unwrap();
        found.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
    }
    let named: Words = rows.iter().flat_map(|row| row.names.iter().cloned()).collect();
    assert_listed("files of a run folder", &found, &named);
}

#[test]
fn words_of_run_folders_are_listed() {
    let program = program();
    let here = program.folder();
    std::fs::create_dir(here.join("drawn")).unwrap();
    for i in 0..30u8 {
        let image = ancestral_plot::Image::filled(9, 9, [8 * i; 3]);
        image.save_png(here.join(format!("drawn/{i}.png"))).unwrap();
    }
    let reals: String =
        (0..40).map(|i| format!("{},{},{}.5\n", i % 4, i % 7, i * 5 % 13)).collect();
    program.write("rows.csv", format!("fold,a,b\n{reals}"));
    train(&program);
    check_files(here);
    check_events(here);
    check_config(here);
    check_checkpoints(here);
}
