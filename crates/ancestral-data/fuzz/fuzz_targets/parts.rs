//! Any bytes as a table of text, with any options, are the same data read whole and in parts.
#![no_main]

mod drawn;

use ancestral_data::{Dataset, Held, OpenOptions, Opened, SplitName, Values, open, open_in_parts};

/// All that is known of some rows: their values and classes, and what describes them.
fn known(data: &Dataset) -> (Vec<u64>, Vec<u32>, String) {
    let split = data.split(SplitName::Train).expect("all rows");
    let bits = match &split.values {
        Values::Reals(v) => v.iter().map(|x| x.to_bits()).collect(),
        Values::Bytes(v) => v.iter().map(|&x| x.into()).collect(),
    };
    let about = format!(
        "{} {} {:?} {:?} {:?} {:?}",
        data.domain, data.shape, data.class_names, data.column_names, data.columns, data.notes
    );
    (bits, split.labels.clone().unwrap_or_default(), about)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (options, bytes) = drawn::options(bytes);
    let options = OpenOptions { whole: true, all_train: false, fold: None, ..options };
    let folder = drawn::folder();
    let path = folder.join("table.csv");
    let _ = std::fs::write(&path, bytes);
    let path = path.display().to_string();
    let whole = open(&path, &options);
    let parts = open_in_parts(&path, &options, &Held { entries: 4, folder });
    match (whole, parts) {
        (Err(_), Err(_)) => {}
        (Ok(whole), Ok(Opened::Whole(same))) => assert_eq!(known(&whole), known(&same)),
        (Ok(whole), Ok(Opened::Parts(mut parts))) => {
            let (values, labels, about) = known(&whole);
            let (mut all, mut classes) = (Vec::new(), Vec::new());
            while let Some(part) = parts.next_rows(2).expect("rows that were read before") {
                let part = known(&part);
                assert_eq!(part.2, about);
                all.extend(part.0);
                classes.extend(part.1);
            }
            assert!(all == values && classes == labels, "other rows");
        }
        (Ok(_), Err(error)) => panic!("in parts: {error}"),
        // A first column without a name numbers the rows that are held.
        (Err(error), Ok(_)) => assert!(error.to_string().contains("does not number the rows"), "{error}"),
    }
});
