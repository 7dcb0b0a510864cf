//! Tests of reading, with what users of other programs report: duplicates, empty baskets, numbers as
//! items, separators in names, padded rows, line ends of other systems.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::*;

/// A file of its own for each test, removed at its end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("ancestral-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

type Rows = Vec<Vec<String>>;

fn read_as(name: &str, bytes: &[u8], layout: Option<Layout>) -> Result<(Rows, ReadReport)> {
    let file = TempFile::new(name, bytes);
    let (names, baskets, report) = read_baskets(&file.0, layout, &Budget::unlimited())?;
    let rows = baskets.iter().map(|basket| {
        let mut row: Vec<String> = basket.iter().map(|&i| names.name(i).to_owned()).collect();
        row.sort();
        row
    });
    let rows: Rows = rows.collect();
    // A stream gives the same baskets, where a basket's rows follow each other.
    let mut reader = BasketReader::open(&file.0, layout, &Budget::unlimited())?;
    let (mut names, mut basket, mut streamed) = (Names::new(), Vec::new(), Rows::new());
    let result = loop {
        match reader.next(&mut names, &mut basket) {
            Ok(true) => {
                let mut row: Vec<String> =
                    basket.iter().map(|&i| names.name(i).to_owned()).collect();
                row.sort();
                row.dedup();
                streamed.push(row);
            }
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = result {
        assert!(error.to_string().contains("met before"), "{error}");
    } else {
        assert_eq!(streamed, rows);
    }
    Ok((rows, report))
}

fn read(name: &str, text: &str) -> (Rows, Format, u64) {
    let (rows, report) = read_as(name, text.as_bytes(), None).unwrap();
    (rows, report.format, report.blank_lines)
}

fn rows(rows: &[&[&str]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect()
}

const BLANKS: Format = format(Layout::Baskets, Separator::Blank);
const COMMAS: Format = format(Layout::Baskets, Separator::Comma);
const LONG: Format = format(Layout::Long, Separator::Comma);
const TABLE: Format = format(Layout::Table, Separator::Comma);

const fn format(layout: Layout, separator: Separator) -> Format {
    let header = !matches!(layout, Layout::Baskets);
    Format { layout, separator, header, row_names: false, may_be_long: false }
}

#[test]
fn baskets_by_blanks_have_items_once_and_no_blank_lines() {
    let (found, format, blank) = read("blanks", "3 1 3 \n\n 2\t1\r\n  \n7\n");
    assert_eq!(found, rows(&[&["1", "3"], &["1", "2"], &["7"]]));
    assert_eq!((format, blank), (BLANKS, 2));
}

#[test]
fn names_with_blanks_are_separated_by_commas() {
    let text = "whole milk\ncitrus fruit,whole milk, yogurt ,,\n,,\nyogurt";
    let (found, format, blank) = read("commas", text);
    let right = [&["whole milk"][..], &["citrus fruit", "whole milk", "yogurt"], &[], &["yogurt"]];
    assert_eq!(found, rows(&right));
    assert_eq!((format, blank), (COMMAS, 0));
}

#[test]
fn semicolons_and_tabs_separate_where_most_lines_have_them() {
    let right = rows(&[&["bread, white", "whole milk"], &["bread, white"], &["whole milk"]]);
    for (name, between, separator) in
        [("semicolons", ';', Separator::Semicolon), ("tabs", '\t', Separator::Tab)]
    {
        let line = format!("whole milk{between}\"bread, white\"\n");
        let text = format!("{line}\"bread, white\"{between}\nwhole milk{between}whole milk\n");
        let (found, format, _) = read(name, &text);
        assert_eq!(found, right);
        assert_eq!(format.separator, separator);
    }
    // Numbers with tabs and blanks between them are separated by both.
    let (found, format, _) = read("mixed", "1 2\t3\n4\t5 6\n");
    assert_eq!((found, format), (rows(&[&["1", "2", "3"], &["4", "5", "6"]]), BLANKS));
}

#[test]
fn names_with_commas_and_quotes_are_quoted() {
    let text = "\"salt, pepper\",\"19\"\" rack\"\nbread , \"salt, pepper\" \n";
    let (found, format, _) = read("quoted", text);
    assert_eq!(found, rows(&[&["19\" rack", "salt, pepper"], &["bread", "salt, pepper"]]));
    assert_eq!(format, COMMAS);
    for (name, text) in [("open", "a,\"b\n"), ("after", "a,\"b\"c\n")] {
        let error = read_as(name, text.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("quote"), "{error}");
    }
}

#[test]
fn a_long_table_has_two_names_over_repeating_baskets() {
    let text = "order,product\n7,milk\n9,bread\n7,bread\n7,milk\n8,\n\n";
    let (found, format, blank) = read("long", text);
    assert_eq!(found, rows(&[&["bread", "milk"], &["bread"], &[]]));
    assert_eq!((format, blank), (LONG, 1));
    // Baskets of two items, without a header.
    let (found, format, _) = read("pairs", "milk,bread\nmilk,beer\nmilk,bread\n");
    assert_eq!((found.len(), format), (3, COMMAS));
    // Numbers are no names.
    let pairs = Format { may_be_long: true, ..COMMAS };
    assert_eq!(read("numbers", "1,2\n5,3\n5,4\n").1, pairs);
    // Numbers and names are rows without a header, where the first one counts, too.
    for (name, separator) in [
        ("bare", Separator::Comma),
        ("bare-tabs", Separator::Tab),
        ("bare-semi", Separator::Semicolon),
    ] {
        let between = ["", ",", ";", "\t"][separator as usize];
        let text = "1,whole milk\n1,bread\n2,whole milk\n".replace(',', between);
        let (found, format, _) = read(name, &text);
        assert_eq!(found, rows(&[&["bread", "whole milk"], &["whole milk"]]), "{name}");
        assert_eq!(format, Format { header: false, separator, ..LONG }, "{name}");
    }
    for text in ["7,milk\n7,bread\n8,milk\n", "a,milk\na,bread\nb,milk\n"] {
        let (found, report) = read_as("no-header", text.as_bytes(), Some(Layout::Long)).unwrap();
        assert_eq!(found, rows(&[&["bread", "milk"], &["milk"]]));
        assert!(!report.format.header);
    }
    // No basket repeats: only the user can tell.
    let text = "order,product\n1,milk\n2,bread\n";
    assert_eq!(read("single", text).1, COMMAS);
    let (found, _) = read_as("told", text.as_bytes(), Some(Layout::Long)).unwrap();
    assert_eq!(found, rows(&[&["milk"], &["bread"]]));
}

#[test]
fn a_table_has_names_over_zeros_and_ones() {
    let (found, format, blank) = read("table", "milk,bread,beer\n1,0,1\n0,0,0\n\n0,1,0\n");
    assert_eq!(found, rows(&[&["beer", "milk"], &[], &["bread"]]));
    assert_eq!((format, blank), (TABLE, 1));
    let text = ",milk,bread\n0,True,False\n1,False,\n2,True,True\n";
    let (found, format, _) = read("indexed", text);
    assert_eq!(found, rows(&[&["milk"], &[], &["bread", "milk"]]));
    assert_eq!(format, Format { row_names: true, ..TABLE });
    // A column that names the rows is no item.
    for (name, text) in [
        ("ids", "id;milk;bread\n7;1;0\n9;0;0\n8;1;1\n"),
        ("names", "who;milk;bread\na;1;0\nb;0;0\nc;1;1\n"),
    ] {
        let (found, format, _) = read(name, text);
        assert_eq!(found, rows(&[&["milk"], &[], &["bread", "milk"]]));
        let separator = Separator::Semicolon;
        assert_eq!(format, Format { row_names: true, separator, ..TABLE });
    }
    // Baskets of the items 0 and 1.
    assert_eq!(read("bits", "0 1\n1 0\n1 1\n").1, BLANKS);
    assert_eq!(read("single-column", "milk\n1\n0\n").1.layout, Layout::Table);
}

#[test]
fn wrong_lines_are_named() {
    let long: String = "a,b\n".to_owned() + &"1,0\n".repeat(200_000);
    for (name, text, layout, line, says) in [
        ("cells", "a,b\n1,0\n1\n", Some(Layout::Table), 3, "2 columns"),
        ("value", "a,b\n1,0\n1,2\n", Some(Layout::Table), 3, "'2' for item 'b'"),
        ("twice", "a,a\n1,0\n", Some(Layout::Table), 1, "two columns"),
        ("unnamed", "a,,b\n1,0,1\n", Some(Layout::Table), 1, "column 2"),
        ("wide", "a,b,c\n1,2,3\n", Some(Layout::Long), 1, "two columns"),
        ("narrow", "a,b\n1,2\n1\n", Some(Layout::Long), 3, "two columns"),
        ("nobody", "a,b\n,2\n", Some(Layout::Long), 2, "empty"),
        // Beyond the lines by which the format is told.
        ("late", &(long + "1,5\n"), None, 200_002, "baskets"),
    ] {
        let error = read_as(name, text.as_bytes(), layout).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}:")) && error.contains(says), "{error}");
    }
    let error = read_as("latin", b"caf\xe9,milk\n", None).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn files_without_baskets_are_refused() {
    for (name, text) in [("empty", ""), ("lines", "\n \n\n"), ("header", "a,b\n")] {
        let layout = (name == "header").then_some(Layout::Table);
        let error = read_as(name, text.as_bytes(), layout).unwrap_err().to_string();
        assert!(error.contains("no baskets"), "{error}");
    }
    let missing = read_baskets("no/such/file".as_ref(), None, &Budget::unlimited());
    assert!(missing.unwrap_err().to_string().contains("no/such/file"));
}

#[test]
fn gzip_is_told_by_content() {
    let text = "\u{feff}milk,bread\nmilk\n";
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    let bytes = writer.finish().unwrap();
    let (found, report) = read_as("gzip", &bytes, None).unwrap();
    assert_eq!(found, rows(&[&["bread", "milk"], &["milk"]]));
    assert!(report.gzip);
    let error = read_as("cut", &bytes[..bytes.len() - 9], None).unwrap_err();
    assert!(matches!(error, RulesError::Read { .. }), "{error}");
}

#[test]
fn a_basket_of_ten_thousand_items_is_read_and_mined() {
    let long: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
    let text = format!("{}\n1 2\n1 2\n", long.join(" "));
    let file = TempFile::new("wide-basket", text.as_bytes());
    let (names, baskets, _) = read_baskets(&file.0, None, &Budget::unlimited()).unwrap();
    assert_eq!(baskets.total_items(), 10_004);
    let found = super::tests::mined(&baskets, &MineOptions::new(Support::Count(2))).1;
    assert_eq!(found.len(), 3);
    assert_eq!(found[&vec![names.find("1").unwrap(), names.find("2").unwrap()]], 3);
}

#[test]
fn reading_stops_at_the_memory_limit() {
    let text = "1 2 3 4 5 6 7 8 9 10\n".repeat(10_000);
    let file = TempFile::new("limit", text.as_bytes());
    let error = read_baskets(&file.0, None, &Budget::new(100_000)).unwrap_err();
    assert!(matches!(error, RulesError::Memory { .. }), "{error}");
}
