//! Tables of text as people have them: dialects, kinds of columns, labels, and what is said of them.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use ancestral_data::{
    ColumnType, DataError, Dataset, Domain, Expected, OpenOptions, Sought, SplitName, TextOptions,
    TextRows, Values, describe, open,
};
use common::gz;

fn options(text: TextOptions) -> OpenOptions {
    OpenOptions { whole: true, text, ..OpenOptions::default() }
}

fn read_as(
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    open(path.to_str().unwrap(), options)
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset, DataError> {
    read_as(name, bytes, &options(TextOptions::default()))
}

fn values(data: &Dataset) -> Vec<f64> {
    match &data.split(SplitName::Train).unwrap().values {
        Values::Reals(v) => v.clone(),
        Values::Bytes(v) => v.iter().map(|&x| x.into()).collect(),
    }
}

#[track_caller]
fn error(result: Result<Dataset, DataError>) -> String {
    result.map(|data| format!("{:?}", values(&data))).unwrap_err().to_string()
}

/// Rows of numbers are parsed in blocks at once; rows of anything else among them are not, and the
/// result is that of reading row by row.
#[test]
fn long_tables_are_those_of_their_rows() {
    let row = |i: usize| -> [String; 4] {
        let x = (i as f64 * 0.7).sin() * 1e3;
        [
            match i % 5 {
                0 => format!("{x:.3}"),
                1 => format!("{x:e}"),
                2 => format!("{x:.17}"),
                3 => format!("+{}", i % 97),
                _ => format!(".{}", i % 1000),
            },
            (i % 3).to_string(),
            format!("-{i}."),
            format!("{}", x * 1e-9),
        ]
    };
    let count = 60_000;
    let rows: Vec<[String; 4]> = (0..count).map(row).collect();
    let expected: Vec<f64> = rows.iter().flatten().map(|cell| cell.parse().unwrap()).collect();
    let text = |separator: &str, end: &str, odd: &dyn Fn(usize, String) -> String| -> String {
        let line = |(i, row): (usize, &[String; 4])| odd(i, row.join(separator)) + end;
        format!("a{separator}b{separator}c{separator}d{end}")
            + &rows.iter().enumerate().map(line).collect::<String>()
    };
    let same = |_: usize, line: String| line;
    let odd = |i: usize, line: String| match i % 7001 {
        5000 => line.replacen(',', " ,  ", 2),
        5001 => format!("{line},"),
        5002 => format!("# a comment, with \"quotes\n\n{line}"),
        5003 => {
            let (first, rest) = line.split_once(',').unwrap();
            format!("\"{first}\",{rest}")
        }
        _ => line,
    };
    let comma = text(",", "\n", &same);
    for (name, text) in [
        ("plain.csv", comma.clone()),
        ("no_end.csv", comma.trim_end().to_owned()),
        ("crlf.csv", text(",", "\r\n", &same)),
        ("cr.csv", text(",", "\r", &same)),
        ("tabs.tsv", text("\t", "\n", &same)),
        ("blanks.txt", text(" ", "\n", &same)),
        ("commas.csv", text(";", "\n", &same).replace('.', ",")),
        ("odd.csv", text(",", "\n", &odd)),
    ] {
        let data = read(name, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = values(&data);
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!((found.len(), differs), (expected.len(), None), "{name}");
        let columns: Vec<_> = data.columns.iter().map(|c| (c.kind, c.decimals)).collect();
        assert_eq!(columns[1], (ColumnType::Count, Some(0)), "{name}");
        assert_eq!(columns[2], (ColumnType::Real, Some(0)), "{name}");
    }
    // Errors name their line, whatever block they are in.
    let broken = |at: usize, second: &'static str| {
        let breaks = |i: usize, line: String| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if i == at {
                cells[1] = second;
            }
            cells.join(",")
        };
        text(",", "\n", &breaks)
    };
    for at in [1, 17_000, 59_999] {
        for (second, problem) in [
            ("x", format!("line {}, column 2 ('b'): 'x'; expected a finite number", at + 2)),
            ("2,2", format!("line {}, column 5: 5 cells", at + 2)),
            ("", format!("line {}, column 2 ('b'): no value", at + 2)),
            ("1e99", format!("line {}, column 2 ('b')", at + 2)),
        ] {
            let said = error(read("broken.csv", broken(at, second)));
            assert!(said.contains(&problem), "{problem}: {said}");
        }
    }
    // A value that stands for a missing one, in the midst.
    let missing = TextOptions { missing: vec!["-40000".into()], ..TextOptions::default() };
    let said = error(read_as("missing.csv", comma.as_str(), &options(missing)));
    assert!(said.contains("line 40002, column 3 ('c'): no value"), "{said}");
}

/// Each file holds the rows 1.5, 2, 3 and 4.25, 5, 6.
#[test]
fn one_table_in_many_dialects() {
    let utf_16 = |text: &str, little: bool, mark: bool| -> Vec<u8> {
        let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
        units.flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
    };
    let plain = "a,b,c\n1.5,2,3\n4.25,5,6\n";
    let comma = "a;b;c\r\n1,5;2;3\r\n4,25;5;6\r\n";
    let files: Vec<(&str, Vec<u8>, bool)> = vec![
        ("plain.csv", plain.into(), true),
        ("no_end.csv", plain.trim_end().into(), true),
        ("crlf.csv", plain.replace('\n', "\r\n").into(), true),
        ("cr.csv", plain.replace('\n', "\r").into(), true),
        ("tabs.tsv", plain.replace(',', "\t").into(), true),
        ("pipes.csv", plain.replace(',', "|").into(), true),
        ("blanks.txt", plain.replace(',', " ").into(), true),
        ("many_blanks.txt", plain.replace(',', "    ").into(), true),
        ("indented.txt", plain.replace(',', "  ").replace('\n', "\n ").into(), true),
        ("semicolons.csv", plain.replace(',', ";").into(), true),
        ("comma_blank.csv", plain.replace(',', ", ").into(), true),
        ("comma_blank.data", "1.5, 2, 3\n4.25, 5, 6\n".into(), false),
        ("decimal.csv", comma.into(), true),
        ("decimal_blank.txt", "1,5 2,0 3,0\n4,25 5,0 6,0\n".into(), false),
        ("decimal_tab.txt", "1,5\t2,0\t3,0\n4,25\t5,0\t6,0\n".into(), false),
        ("quoted_decimal.csv", "\"1,5\",\"2,0\",\"3,0\"\n\"4,25\",\"5,0\",\"6,0\"\n".into(), false),
        ("sep.csv", format!("sep=;\r\n{comma}").into(), true),
        ("sep_tab.csv", format!("sep=\t\n{}", plain.replace(',', "\t")).into(), true),
        ("mark.csv", format!("\u{feff}{plain}").into(), true),
        ("mark_quoted.csv", format!("\u{feff}\"a\",b,c\n{}", &plain[6..]).into(), true),
        ("utf16.csv", utf_16(plain, true, true), true),
        ("utf16be.csv", utf_16(plain, false, true), true),
        ("utf16_bare.csv", utf_16(plain, true, false), true),
        ("quoted.csv", "\"a\",\"b\",\"c\"\n\"1.5\",\"2\",\"3\"\n\"4.25\",5,6\n".into(), true),
        ("over_lines.csv", "a,b,\"c\nmore\"\n1.5,2,3\n4.25,5,6\n".into(), true),
        ("blank_lines.csv", "\n\na,b,c\n\n1.5,2,3\n   \n4.25,5,6\n\n".into(), true),
        ("comments.csv", format!("# site: A, B\n# 2024\n{plain}# end\n").into(), true),
        ("numpy.txt", "# a b c\n1.5 2.0 3.0\n4.25 5.0 6.0\n".into(), true),
        ("numpy.csv", "# a,b,c\n1.5,2.0,3.0\n4.25,5.0,6.0\n".into(), true),
        ("numpy_exponents.txt", "1.5e+00 2.0e+00 3.0e+00\n4.25e+00 5e0 6E0\n".into(), false),
        ("trailing.csv", "a,b,c,\n1.5,2,3,\n4.25,5,6,\n".into(), true),
        ("trailing_rows.csv", "a,b,c\n1.5,2,3,\n4.25,5,6,\n".into(), true),
        ("index.csv", ",a,b,c\n0,1.5,2,3\n1,4.25,5,6\n".into(), true),
        ("shuffled_index.csv", ",a,b,c\n17,1.5,2,3\n4,4.25,5,6\n".into(), true),
        ("unnamed.csv", "Unnamed: 0,a,b,c\n0,1.5,2,3\n1,4.25,5,6\n".into(), true),
        ("row_names.txt", "\"a\" \"b\" \"c\"\n\"1\" 1.5 2 3\n\"2\" 4.25 5 6\n".into(), true),
        ("blanks_in_names.csv", "a,b,c of d\n1.5,2,3\n4.25,5,6\n".into(), true),
        ("signs_in_lines.csv", "a,b,c#d\n1.5,2,3\n4.25,5,6\n".into(), true),
        ("not_packed.csv.gz", plain.into(), true),
        ("no_header.csv", "1.5,2,3\n4.25,5,6\n".into(), false),
        ("packed.csv.gz", gz(plain.as_bytes()), true),
        (
            "two_parts.csv.gz",
            [gz(&plain.as_bytes()[..14]), gz(&plain.as_bytes()[14..])].concat(),
            true,
        ),
        ("padded.csv.gz", [gz(plain.as_bytes()), vec![0; 700]].concat(), true),
        (
            "packed.csv.zst",
            ruzstd::encoding::compress_to_vec(
                plain.as_bytes(),
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
            true,
        ),
    ];
    for (name, bytes, named) in files {
        let data = read(name, bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(values(&data), [1.5, 2.0, 3.0, 4.25, 5.0, 6.0], "{name}");
        let names = if named { 3 } else { 0 };
        assert_eq!(data.column_names.len(), names, "{name}: {:?}", data.column_names);
        if named {
            assert_eq!(data.column_names[..2], ["a", "b"], "{name}");
        }
    }
}

#[test]
fn what_is_inferred_can_be_said_otherwise() {
    let asked = |text: TextOptions, bytes: &str| read_as("t.csv", bytes, &options(text));
    let header = |header| TextOptions { header: Some(header), ..TextOptions::default() };
    // Names that are numbers, as pandas writes them.
    let numbered = "0,1,2\n0.5,1.5,2.5\n3.5,4.5,5.5\n";
    let data = asked(TextOptions::default(), numbered).unwrap();
    assert_eq!((data.column_names.len(), data.len(SplitName::Train)), (3, 2));
    assert!(data.notes[0].contains("--header no"), "{:?}", data.notes);
    assert_eq!(asked(header(false), numbered).unwrap().len(SplitName::Train), 3);
    // Years over reals, and other numbers over them.
    let years = asked(TextOptions::default(), "2019,2020\n0.5,1.5\n").unwrap();
    assert_eq!(years.column_names, ["2019", "2020"]);
    let others = asked(TextOptions::default(), "10,20\n0.5,1.5\n").unwrap();
    assert_eq!((others.len(SplitName::Train), others.notes.len()), (2, 1));
    assert!(others.notes[0].contains("--header yes"), "{:?}", others.notes);
    // Counting may be data.
    assert_eq!(asked(TextOptions::default(), "0,1\n1,1\n").unwrap().len(SplitName::Train), 2);
    assert_eq!(asked(header(true), "0,1\n1,1\n").unwrap().column_names, ["0", "1"]);
    let wide = (0..20).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let zeros = vec!["0"; 20].join(",");
    let pixels = format!("label,{wide}\n7,{zeros}\n3,{zeros}\n");
    let data = asked(TextOptions::default(), &pixels).unwrap();
    assert_eq!((data.class_names, data.column_names.len()), (vec!["3".into(), "7".into()], 20));
    // A first row with a gap or a word at its end is data.
    let gap = error(asked(TextOptions::default(), "1.5,,2\n1,2,3\n"));
    assert!(gap.contains("line 1, column 2: no value"), "{gap}");
    let data = asked(TextOptions::default(), "5.1,3.5,setosa\n4.9,3.0,virginica\n").unwrap();
    assert_eq!((data.len(SplitName::Train), data.columns[2].kind), (2, ColumnType::Category));

    let missing = TextOptions { missing: vec!["-999".into()], ..TextOptions::default() };
    let text = "a,b\n1,-999\n-999.0,2\n3,4\n";
    let said = error(asked(missing, text));
    for words in ["line 2, column 2 ('b')", "2 missing: 1 in column 'a', 1 in column 'b'"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(values(&asked(TextOptions::default(), text).unwrap())[1], -999.0);
    let separated = TextOptions { separator: Some(';'), ..TextOptions::default() };
    assert_eq!(values(&asked(separated, "1;2\n3;4\n").unwrap()), [1.0, 2.0, 3.0, 4.0]);
    let decimal =
        TextOptions { decimal: Some(','), separator: Some(';'), ..TextOptions::default() };
    assert_eq!(values(&asked(decimal, "10;2\n3;4,5\n").unwrap()), [10.0, 2.0, 3.0, 4.5]);
    let latin = |encoding: Option<&str>| {
        let text = TextOptions { encoding: encoding.map(Into::into), ..TextOptions::default() };
        read_as("t.csv", b"gr\xf6\xdfe,b\n1,2\n", &options(text))
    };
    for encoding in [None, Some("windows-1252"), Some("latin1")] {
        assert_eq!(latin(encoding).unwrap().column_names[0], "größe");
    }
    assert!(latin(None).unwrap().notes[0].contains("Windows-1252 (--encoding"));
    let said = error(latin(Some("utf-8")));
    assert!(said.contains("line 1") && said.contains("not UTF-8"), "{said}");
    assert!(error(latin(Some("klingon"))).contains("unknown encoding 'klingon'"));
    let not_text = OpenOptions {
        text: TextOptions { header: Some(true), ..TextOptions::default() },
        ..OpenOptions::default()
    };
    let path = tempfile::tempdir().unwrap();
    let file = path.path().join("a.npy");
    fs::write(&file, common::npy("|u1", false, "(2, 2)", &[0; 4])).unwrap();
    let said = open(file.to_str().unwrap(), &not_text).unwrap_err().to_string();
    assert!(said.contains("are for tables of text"), "{said}");
}

#[test]
fn kinds_and_decimals_of_columns() {
    let text = "real,count,bit,word\n-1.50,3,0,b\n2.125,0,1,a\n4e-1,7,1,b\n";
    let data = read("t.csv", text).unwrap();
    let kinds: Vec<ColumnType> = data.columns.iter().map(|column| column.kind).collect();
    use ColumnType::{Binary, Category, Count, Real};
    assert_eq!(kinds, [Real, Count, Binary, Category]);
    let decimals: Vec<_> = data.columns.iter().map(|column| column.decimals).collect();
    assert_eq!(decimals, [Some(3), Some(0), Some(0), Some(0)]);
    assert_eq!(data.columns[3].categories, ["a", "b"]);
    assert_eq!(values(&data)[3..5], [1.0, 2.125]);
    let summary = describe(&data);
    assert_eq!((summary.kinds[3].kind, summary.kinds[3].categories), ("category", 2));
    // Whole numbers that are written with decimals are whole.
    let data = read("t.csv", "a,b\n1.0,0.1\n2.0,0.30000000000000004\n").unwrap();
    assert_eq!((data.columns[0].decimals, data.columns[1].decimals), (Some(0), None));
    assert_eq!(data.columns[0].kind, Count);
    assert_eq!(values(&data)[3], 0.300_000_000_000_000_04);

    let many: String = (0..1001).map(|i| format!("{i},w{i}\n")).collect();
    let said = error(read("t.csv", format!("a,id\n{many}")));
    assert!(said.contains("line 1002, column 2 ('id')") && said.contains("1000"), "{said}");
}

#[test]
fn errors_name_line_column_and_cell() {
    for (text, words) in [
        ("a,b\n1,2\n\n3,x\n", &["line 4, column 2 ('b')", "'x'", "as on line 2"][..]),
        ("a,b\r\n1,2\r\n\r\n3,x\r\n", &["line 4, column 2"]),
        ("a,b\r1,2\r3,x\r", &["line 3, column 2"]),
        ("a,\"b\nb\"\n1,2\n3,x\n", &["line 4, column 2"]),
        ("# c\na,b\n1,2\n3,x\n", &["line 4, column 2"]),
        ("a,b\nx,2\n3,4\n", &["line 2, column 1 ('a')", "'x'", "as 3 on line 3"]),
        ("a,b\n1,2\n3\n", &["line 3, column 2", "1 cell in this row; expected 2"]),
        ("a,b\n1,2\n3,4,5\n", &["line 3", "3 cells in this row; expected 2"]),
        ("a,b\n1,inf\n", &["line 2, column 2", "finite number"]),
        ("a,b\n1,1e999\n", &["line 2, column 2", "finite number"]),
        ("a,b\n1,1e300\n", &["line 2, column 2", "1e300 is beyond", "divide"]),
        ("a,b\n1,12%\n", &["line 2, column 2", "percent"]),
        ("a;b\n1;1,234,567.5\n", &["line 2, column 2", "thousands"]),
        ("a,b\n1,$5\n", &["line 2, column 2", "currency"]),
        ("a;b\n1,5;2\n2,5;1.234\n", &["line 3, column 2"]),
        ("a,b\n1,NA\n,4\n", &["line 2, column 2", "'NA'", "2 missing"]),
        ("a,label\n1,x\n2,\n3,NaN\n", &["line 3, column 2", "no label", "2 in column 'label'"]),
        ("a,a\n1,2\n", &["line 1, column 2 ('a')", "column 1 has this name"]),
        ("a,,c\n1,2,3\n", &["line 1, column 2", "no name"]),
        (",a\n0.5,1\n0.7,2\n", &["line 1, column 1", "does not number the rows"]),
        ("label,class,x\na,b,1\nb,c,2\n", &["'label'", "'class'", "rename"]),
        ("fold,x\n1,2\nx,2\n", &["line 3, column 1", "fold"]),
        ("a,b\n1,\"2\n3,4\n", &["line 2", "quoted cell"]),
        ("a,b\n", &["no numbers"]),
        ("PK\x03\x04rest", &["Excel workbook"]),
        ("<!DOCTYPE html><html>", &["web page"]),
        ("id,b\n11898508762506083287,1\n", &["line 2, column 1 ('id')", "more digits"]),
        ("a,b\n1,2\n3,\u{a0}42\n", &["line 3, column 2", "U+00A0"]),
        ("a,b\n1,\u{2212}42.5\n", &["line 2, column 2", "U+2212"]),
        ("a,b\n1,49.03-\n", &["line 2, column 2", "a minus sign at its end"]),
        ("a,b\n1,  \n2,3\n", &["line 2, column 2", "no value"]),
    ] {
        let said = error(read("t.csv", text));
        for word in words {
            assert!(said.contains(word), "{text:?}: '{word}' is not in: {said}");
        }
        assert!(said.contains("t.csv"), "{said}");
    }
    for (name, word) in [("t.xlsx", "save the sheet as CSV"), ("t.zip", "unpack it first")] {
        assert!(error(read(name, "PK\x03\x04")).contains(word));
    }
    let bytes = error(read("t.csv", b"caf\xc3\xa9,b\n1,2\n3,\xff\n"));
    assert!(bytes.contains("line 3") && bytes.contains("--encoding"), "{bytes}");
    let cut = gz("1.25,2.5\n".repeat(3000).as_bytes());
    assert!(error(read("t.csv.gz", &cut[..cut.len() - 12])).contains("packed data"));
    let trailing = [gz(b"1,2\n"), b"garbage".to_vec()].concat();
    assert!(error(read("t.csv.gz", trailing)).contains("other bytes follow"));
}

#[test]
fn labels_are_names() {
    let labels = |text: &str| {
        let data = read("t.csv", text).unwrap();
        (data.class_names.clone(), data.split(SplitName::Train).unwrap().labels.clone())
    };
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        labels("x,label\n1,7\n2,900\n3,3\n"),
        (names(&["3", "7", "900"]), Some(vec![1, 2, 0]))
    );
    assert_eq!(labels("x,label\n1,1\n2,-1\n"), (names(&["-1", "1"]), Some(vec![1, 0])));
    let data = read("t.csv", "x,label\n1,01\n2,1\n3,2\n").unwrap();
    assert_eq!(data.class_names, ["1", "2"]);
    assert!(data.notes[1].contains("are one class"), "{:?}", data.notes);
    assert_eq!(labels("x,label\n1,2.0\n2,10\n"), (names(&["2", "10"]), Some(vec![0, 1])));
    assert_eq!(labels("x,Class\n1,b\n2,a\n"), (names(&["a", "b"]), Some(vec![1, 0])));
    assert_eq!(labels("x,label\n1,None\n2,mild\n"), (names(&["None", "mild"]), Some(vec![0, 1])));
    // Quotes that belong to a name stay, and those after a blank do not.
    let quoted = "x,label\n1,\"\"\"tit\"\"\"\n2, \"rook\"\n";
    assert_eq!(labels(quoted), (names(&["\"tit\"", "rook"]), Some(vec![0, 1])));
    // Reals are no classes, nor are whole numbers of nearly every row.
    assert_eq!(labels("x,target\n1,0.5\n2,1.5\n"), (names(&[]), None));
    let text: String = (0..50).map(|i| format!("{i}.5,{}\n", i * 3)).collect();
    let data = read("t.csv", format!("x,target\n{text}")).unwrap();
    assert_eq!((data.shape.size(), data.classes()), (2, 0));
    assert_eq!(values(&data)[..4], [0.5, 0.0, 1.5, 3.0]);
    assert!(data.notes[0].contains("column 'target' holds nearly one value a row"));
    // In the place that it has in the file.
    let data = read("t.csv", "target,x,class\n0.25,1,a\n0.5,2,b\n").unwrap();
    assert_eq!((data.classes(), data.column_names), (2, names(&["target", "x"])));
    assert_eq!(values(&read("t.csv", "target,x\n0.25,1\n0.5,0\n").unwrap()), [0.25, 1.0, 0.5, 0.0]);

    let data = read("t.csv", "x,label\n1,a\n2,b\n").unwrap();
    assert!(data.notes[0].contains("column 'label' holds the classes (2)"), "{:?}", data.notes);
    let left = OpenOptions { no_labels: true, whole: true, ..OpenOptions::default() };
    let data = read_as("t.csv", "x,label\n1,a\n2,b\n", &left).unwrap();
    assert_eq!((data.classes(), data.shape.size()), (0, 1));
    assert!(data.notes[0].contains("may hold classes and was left out"), "{:?}", data.notes);
}

#[test]
fn rows_are_images_where_it_is_said() {
    let image = |shape, levels| OpenOptions {
        whole: true,
        image_shape: Some(shape),
        levels,
        ..OpenOptions::default()
    };
    let text = "label,pixel0,pixel1,pixel2,pixel3\n5,0,255,7,1\n4,1,2,3,4\n";
    let data = read_as("t.csv", text, &image([1, 2, 2], None)).unwrap();
    assert_eq!((data.shape.dims(), data.domain), (&[1, 2, 2][..], Domain::Levels(256)));
    assert_eq!(data.class_names, ["4", "5"]);
    assert!(data.column_names.is_empty());
    // Channels are next to each other in a row, as numpy has them.
    let data =
        read_as("t.csv", "1,2,3,4,5,6\n7,8,9,10,11,12\n", &image([3, 1, 2], Some(17))).unwrap();
    assert_eq!(data.domain, Domain::Levels(17));
    assert_eq!(values(&data)[..6], [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let said = read_as("t.csv", text, &image([1, 3, 2], None)).unwrap_err().to_string();
    assert!(said.contains("are not images of 1×3×2"), "{said}");
}

#[test]
fn values_keep_their_digits() {
    let rows: String = (0..40).map(|i| format!("{}.25,{}\n", 100_000_000 + i, i % 5)).collect();
    let data = read("t.csv", format!("a,b\n{rows}")).unwrap();
    assert_eq!(values(&data)[..4], [100_000_000.25, 0.0, 100_000_001.25, 1.0]);
    // What single precision cannot hold has another fingerprint than the same rounded.
    assert_ne!(data.fingerprint(), data.fingerprint_in_single_precision());
    let rounded = data.in_single_precision().unwrap();
    assert_eq!(rounded.fingerprint(), data.fingerprint_in_single_precision());
    let exact = read("t.csv", "a,b\n1.5,2\n3,4.25\n").unwrap();
    assert_eq!(exact.fingerprint(), exact.fingerprint_in_single_precision());
    // Every digit counts: the numbers that are nearest to what is written.
    let text = ["0.1", "-0.30000000000000004", "123456789012345", "1e-3", "9007199254740992", ".5"];
    let data = read("t.csv", format!("a\n{}\n", text.join("\n"))).unwrap();
    let parsed: Vec<f64> = text.iter().map(|t| t.parse().unwrap()).collect();
    assert_eq!(values(&data), parsed);
}

/// The real files of the repository are read as before.
#[test]
fn files_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let reals = root.join("crates/ancestral/tests/stored/reals.csv");
    let data = open(reals.to_str().unwrap(), &options(TextOptions::default())).unwrap();
    assert!(data.columns.iter().all(|column| column.kind != ColumnType::Category));
}

/// What resembles a number is never a category without a word.
#[test]
fn numbers_in_other_notations_are_named() {
    for (cell, words) in [
        ("0x1f", "hexadecimal"),
        ("-0X1F", "hexadecimal"),
        ("1.5D+02", "Fortran"),
        ("15d2", "Fortran"),
        ("1.5-102", "without its letter"),
        ("(5.5)", "parentheses"),
        ("(1,200)", "parentheses"),
        ("\u{661}\u{662}", "digits of another script (U+0661)"),
        ("\u{ff11}.\u{ff15}", "U+FF11"),
        ("\u{967}\u{968}", "U+0967"),
        ("1.100.200", "thousands"),
        ("1,23,456", "thousands"),
        ("1'100", "thousands"),
        ("9007199254740993.0", "more digits"),
        ("9.007199254740993e15", "more digits"),
        ("-9007199254740993", "more digits"),
    ] {
        let said = error(read("t.csv", format!("a;b\n{cell};1\n2;2\n")));
        let place = "line 2, column 1 ('a')";
        assert!(said.contains(place) && said.contains(words), "{cell}: {said}");
    }
    for cell in ["9007199254740992.0", "1e23", "1.2345678901234568e+17", "1e-400"] {
        let data = read("t.csv", format!("a,b\n{cell},1\n2,2\n")).unwrap();
        assert_eq!(values(&data)[0], cell.parse::<f64>().unwrap());
    }
    for cell in [
        "12 kg",
        "5:30",
        "<0.5",
        "2024-01-31",
        "3/4",
        "~7",
        "1.5 x",
        "4\u{bd}",
        "\u{201c}7\u{201d}",
    ] {
        let data = read("t.csv", format!("a,b\n{cell},1\n{cell},2\n")).unwrap();
        assert_eq!(data.columns[0].kind, ColumnType::Category, "{cell}");
        let note = format!("column 'a', as '{cell}': cells that begin like numbers");
        assert!(data.notes[0].contains(&note), "{cell}: {:?}", data.notes);
    }
    // Words are words.
    for cell in ["x1", "male", "v2.0", "R2D2", "3D"] {
        let data = read("t.csv", format!("a,b\n{cell},1\nand {cell},2\nor,3\n")).unwrap();
        let noted = data.notes.iter().any(|note| note.contains("begin like"));
        assert!(!noted || cell == "3D", "{cell}: {:?}", data.notes);
    }
    let zeros = read("t.csv", "zip,x\n00501,1.5\n10001,02.5\n").unwrap();
    assert!(zeros.notes[0].contains("column 'zip': zeros before the digits"), "{:?}", zeros.notes);
    // In a block of rows, too.
    let rows: String = (0..40_000).map(|i| format!("{i:05},1.5\n")).collect();
    let zeros = read("t.csv", format!("zip,x\n{rows}")).unwrap();
    assert!(zeros.notes[0].contains("column 'zip': zeros"), "{:?}", zeros.notes);
    assert_eq!(read("t.csv", "a,x\n0,1.5\n0.5,01.5\n").unwrap().notes.len(), 0);
}

/// Decimal commas and separators of thousands are read, or said.
#[test]
fn commas_and_points_are_not_mistaken_in_silence() {
    let note = |text: &str, words: &str| {
        let data = read("t.csv", text).unwrap();
        assert!(data.notes.iter().any(|note| note.contains(words)), "{text:?}: {:?}", data.notes);
        values(&data)
    };
    let commas = "commas were read as decimal signs";
    assert_eq!(note("price\n100,5\n200,25\n300,75\n", commas), [100.5, 200.25, 300.75]);
    assert_eq!(note("price\n100,5\n200\n300,75\n", commas), [100.5, 200.0, 300.75]);
    assert!(error(read("t.csv", "100,5\n200\n300,75\n")).contains("line 2, column 2: 1 cell"));
    let maybe = "--decimal , reads decimal commas";
    assert_eq!(note("100,5\n200,25\n", maybe), [100.0, 5.0, 200.0, 25.0]);
    assert_eq!(note("1,05,2,50\n3,07,4,25\n", maybe).len(), 8);
    let asked = TextOptions { decimal: Some(','), ..TextOptions::default() };
    let data = read_as("t.csv", "100,5\n200,25\n", &options(asked)).unwrap();
    assert_eq!((values(&data), data.shape.size()), (vec![100.5, 200.25], 1));
    // Names of rows are numbered.
    let data = read("t.csv", "x\n1,5\n2,7\n").unwrap();
    assert_eq!(values(&data), [5.0, 7.0]);
    assert!(data.notes[0].contains("names of rows"), "{:?}", data.notes);
    for plain in ["a,b\n1,2\n3,4\n", "1.5,2\n3,4\n", "1,2,3\n4,5,6\n", "\"1\",2\n3,4\n"] {
        let data = read("t.csv", plain).unwrap();
        assert!(!data.notes.iter().any(|note| note.contains("decimal")), "{plain:?}");
    }

    assert_eq!(note("a;b\n1.100;2\n22.200;3\n", "points before three digits")[0], 1.1);
    assert_eq!(note("a;b\n1,100;2\n22,200;3\n", "before three digits everywhere")[0], 1.1);
    let said = error(read("t.csv", "a,b\n\"1,100\",\"2,200\"\n\"3,300\",\"4,400\"\n"));
    assert!(said.contains("thousands separators"), "{said}");
    for plain in ["a;b\n0.100;2\n0.200;3\n", "a;b\n1.100;2\n2.20;3\n", "a,b\n1.100,2\n2.200,3\n"] {
        assert_eq!(read("t.csv", plain).unwrap().notes.len(), 0, "{plain:?}");
    }
}

#[test]
fn files_that_are_no_tables_are_named() {
    let utf_32: Vec<u8> =
        "\u{feff}a,b\n1,2\n".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    let pointer =
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n".to_vec();
    for (bytes, words) in [
        (Vec::new(), "the file is empty"),
        (pointer, "Git LFS"),
        (utf_32, "UTF-32"),
        (b"a,b\n1,2\n3,\x004\n".to_vec(), "line 3: a zero byte"),
        (b"a,b\n1,2\n\0\0\0\0".to_vec(), "line 3: a zero byte"),
        (b"{\"a\": 1}\n{\"a\": 2}\n".to_vec(), "JSON"),
        (b"\n[ {\"a\": 1} ]\n".to_vec(), "JSON"),
        (b"% made\n@RELATION x\n@attribute a numeric\n@data\n1\n".to_vec(), "ARFF"),
        (b"<?xml version=\"1.0\"?>\n<rows/>\n".to_vec(), "XML"),
        (b"<?xml version=\"1.0\"?>\n<!DOCTYPE html>\n".to_vec(), "web page"),
        (b"1 1:0.5 7:2\n-1 3:1e-3\n".to_vec(), "LIBSVM"),
        (b"a,b\n1.5,2,3\n2.5,3,4\n".to_vec(), "'1.5' is no name of a row"),
        (b"SQLite format 3\0rest".to_vec(), "SQLite"),
        (b"%PDF-1.7\n".to_vec(), "PDF"),
        (b"BZh91AY&SY".to_vec(), "bzip2"),
        (b"a,b\n\"1\"5,1\n2,2\n".to_vec(), "line 2: a quoted cell goes on after its end"),
    ] {
        let said = error(read("t.csv", &bytes));
        assert!(said.contains(words), "{words}: {said}");
    }
    for (name, words) in [("t.jsonl", "write it as CSV"), ("t.heic", "PNG")] {
        let said = error(read(name, "x"));
        assert!(said.contains(words), "{name}: {said}");
    }
    let data = read("t.csv", "1;2;\n3;4;\n").unwrap();
    assert_eq!(values(&data), [1.0, 2.0, 3.0, 4.0]);
    assert!(data.notes[0].contains("separators after the last cell"), "{:?}", data.notes);
    for (text, blanks) in [("a\n1\n\n3\n\n\n", true), ("a\n\n1\n3\n\n", false)] {
        let notes = read("t.csv", text).unwrap().notes;
        assert_eq!(notes.iter().any(|note| note.contains("blank lines")), blanks, "{notes:?}");
    }
    let rows: String = (0..30).map(|i| format!("{i}.5,word{i}\n")).collect();
    let data = read("t.csv", format!("x,label\n{rows}")).unwrap();
    assert!(data.notes[0].contains("(30 in 30 rows, which may be no classes)"), "{:?}", data.notes);
}

/// What a run knows of its own data counts where other data leaves something open.
#[test]
fn expected_names_decide() {
    let like = |columns: &[&str], text: TextOptions, bytes: &str| {
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        let expected = Expected { text, columns, ..Expected::default() };
        read_as("t.csv", bytes, &OpenOptions { whole: true, expected, ..OpenOptions::default() })
    };
    let none = TextOptions::default;
    // A header of numbers over whole columns, in any order.
    for header in ["0,1", "1,0"] {
        let data = like(&["0", "1"], none(), &format!("{header}\n1,2\n3,4\n")).unwrap();
        assert_eq!((data.column_names.join(","), data.len(SplitName::Train)), (header.into(), 2));
        assert!(data.notes.is_empty(), "{:?}", data.notes);
    }
    assert_eq!(like(&["0", "1"], none(), "5,1\n1,2\n").unwrap().len(SplitName::Train), 2);
    // An entry that is named like classes.
    let data = like(&["x", "target"], none(), "x,target\n1,2\n3,4\n").unwrap();
    assert_eq!((data.shape.size(), data.classes()), (2, 0));
    // The way that another file was read, unless this one is other.
    let semicolons = || TextOptions { separator: Some(';'), ..TextOptions::default() };
    for bytes in ["a;b\n1;2\n3;4\n", "a,b\n1,2\n3,4\n"] {
        let data = like(&["a", "b"], semicolons(), bytes).unwrap();
        assert_eq!(values(&data), [1.0, 2.0, 3.0, 4.0]);
    }
    let no_header = || TextOptions { header: Some(false), ..TextOptions::default() };
    assert_eq!(like(&[], no_header(), "1,2\n3,4\n").unwrap().len(SplitName::Train), 2);
    assert_eq!(like(&[], no_header(), "a,b\n1,2\n3,4\n").unwrap().len(SplitName::Train), 2);
}

#[test]
fn cells_are_looked_up_by_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    fs::write(&path, "# c\nid,x,label\n\n1,2.5,a\n2,\"3\",b\n3,2.5,b\n").unwrap();
    let data = open(path.to_str().unwrap(), &options(TextOptions::default())).unwrap();
    let number = |column, value| data.line_of(&Sought::Number { column, value });
    assert_eq!([number(1, 2.5), number(1, 3.0), number(0, 3.0)], [Some(4), Some(5), Some(6)]);
    assert_eq!(number(1, 1.0), None);
    assert_eq!(data.line_of(&Sought::Label("b".into())), Some(5));
    let swapped = data.select_columns(&[1, 0]).unwrap();
    assert_eq!(swapped.line_of(&Sought::Number { column: 0, value: 3.0 }), Some(5));
}

/// Columns that are left out may hold anything, and their cells are read as text.
#[test]
fn columns_are_left_out_and_read_as_text() {
    let mut text = "id;x;gap;class;y\n".to_owned();
    for row in 0..2500 {
        let gap = ["", "\"a; b\"", "17"][row % 3];
        text += &format!("n{row};{row},5;{gap};k{};{}\n", row % 2, row % 7);
    }
    let leave = OpenOptions {
        left: vec!["gap".to_owned()],
        words_left: true,
        ..options(TextOptions::default())
    };
    let data = read_as("a.csv", &text, &leave).unwrap();
    assert_eq!(data.column_names, ["x", "y"]);
    assert_eq!(data.class_names, ["k0", "k1"]);
    assert_eq!(values(&data)[..4], [0.5, 0.0, 1.5, 1.0]);
    // Words that begin late, after missing cells, are words; after numbers they are none.
    let late = OpenOptions { left: Vec::new(), ..leave.clone() };
    let data = read_as("a.csv", &text, &late).unwrap();
    assert_eq!(
        (data.column_names.len(), values(&data)[..4].to_vec()),
        (2, vec![0.5, 0.0, 1.5, 1.0])
    );
    let mixed = error(read_as("a.csv", "u,x\n7,1.5\nb7,2.5\n", &late));
    assert!(mixed.contains("line 3, column 1 ('u')"), "{mixed}");
    // Without a header, the entries keep the numbers of their columns.
    let data = read_as("b.csv", "a,1.5,b,2.5\nc,3.5,d,4.5\n", &late).unwrap();
    assert_eq!(
        (data.column_names.clone(), values(&data)),
        (vec!["x1".into(), "x3".into()], vec![1.5, 2.5, 3.5, 4.5])
    );
    let none = error(read_as("c.csv", "p,q\na,b\nc,d\n", &late));
    assert!(none.contains("no column holds numbers"), "{none}");
    let missing = OpenOptions { left: vec!["idd".to_owned()], ..leave.clone() };
    assert!(error(read_as("a.csv", &text, &missing)).contains("did you mean 'id'?"));
    // Classes beside chosen columns.
    let chosen = OpenOptions {
        columns: vec!["y".to_owned()],
        with_classes: true,
        ..options(TextOptions::default())
    };
    let data = read_as("a.csv", &text, &chosen).unwrap();
    assert_eq!((data.column_names.len(), data.class_names.len()), (1, 2));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, &text).unwrap();
    assert_eq!(TextRows::names(&path, &leave).unwrap(), ["id", "x", "gap", "class", "y"]);
    let mut rows = TextRows::open(&path, &["gap".to_owned(), "id".to_owned()], &leave).unwrap();
    let (mut cells, mut count) = (Vec::new(), 0);
    while rows.next_row(&mut cells).unwrap() {
        let gap = ["", "a; b", "17"][count % 3];
        assert_eq!(cells, [gap.to_owned(), format!("n{count}")]);
        cells.clear();
        count += 1;
    }
    assert_eq!(count, 2500);
    let mut rows = TextRows::open(&path, &["z".to_owned()], &leave).unwrap();
    assert!(rows.next_row(&mut cells).is_err());
}
