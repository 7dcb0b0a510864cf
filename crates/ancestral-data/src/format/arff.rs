//! ARFF, Weka's tables: a header of attributes, then rows of comma-separated values.
//!
//! The text becomes a CSV of the same lines, so that errors name the right ones: the names of attributes
//! stand on the line of `@data`, and the lines before it are blank. Cells of `?` are missing. Sparse rows
//! are refused.

use std::io::{Cursor, Read};
use std::path::Path;

use super::Stream;
use crate::{DataError, OpenOptions};

/// Whether a file is ARFF by its name, plain or compressed.
pub(crate) fn is_arff(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    plain.ends_with(".arff")
}

/// The text of a table, and how it is read: that of an ARFF file as CSV.
pub(crate) fn text_of(
    path: &Path,
    options: &OpenOptions,
) -> Result<(Stream<'static>, OpenOptions), DataError> {
    let mut stream = Stream::open(path)?;
    if !is_arff(path) {
        return Ok((stream, options.clone()));
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|e| stream.failed(e))?;
    let csv = csv_of(&String::from_utf8_lossy(&bytes), path)?;
    let mut options = options.clone();
    options.text.header = Some(true);
    options.text.separator = Some(',');
    options.text.missing.push("?".to_owned());
    Ok((Stream::member(Cursor::new(csv.into_bytes()), path), options))
}

fn csv_of(text: &str, path: &Path) -> Result<String, DataError> {
    let bad = |line: usize, problem: &str| {
        Err(DataError::malformed(path, format!("line {}", line + 1), problem))
    };
    let (mut names, mut in_data) = (Vec::new(), false);
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let word = line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if line.is_empty() || line.starts_with('%') {
            // Blank, as in CSV.
        } else if in_data {
            if line.starts_with('{') {
                return bad(at, "a sparse row; expected a value for each attribute");
            }
            cells(line, &mut out);
        } else if word == "@data" {
            if names.is_empty() {
                return bad(at, "data without attributes; expected @attribute lines before @data");
            }
            out += &names.join(",");
            in_data = true;
        } else if word == "@attribute" {
            match name(line[word.len()..].trim_start()) {
                Some(name) => names.push(quoted(&name)),
                None => {
                    return bad(at, "an attribute without a type; expected @attribute NAME TYPE");
                }
            }
        } else if word != "@relation" {
            return bad(at, "expected @relation, @attribute or @data");
        }
        out.push('\n');
    }
    match in_data {
        true => Ok(out),
        false => {
            bad(text.lines().count().saturating_sub(1), "the file ends; expected a line @data")
        }
    }
}

/// The name at the start of an attribute, if a type follows.
fn name(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let (name, rest) = match quote {
        Some(quote) => {
            let end = text[1..].find(quote)? + 1;
            (&text[1..end], &text[end + 1..])
        }
        None => {
            // A nominal type may follow without a blank.
            let end = text.find(|c: char| c.is_whitespace() || c == '{')?;
            (&text[..end], &text[end..])
        }
    };
    (!rest.trim().is_empty()).then(|| name.to_owned())
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\'']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

/// The cells of a row, whose quotes may be single and whose quoted characters follow a backslash.
fn cells(line: &str, out: &mut String) {
    if !line.contains(['\'', '"', '\\', '%']) {
        // Blanks around values are no part of them.
        let cells = line.split(',').map(str::trim);
        cells.enumerate().for_each(|(at, cell)| {
            if at > 0 {
                out.push(',');
            }
            *out += cell;
        });
        return;
    }
    let (mut cell, mut quote, mut first) = (String::new(), None, true);
    let mut end = |cell: &mut String| {
        if !first {
            out.push(',');
        }
        first = false;
        *out += &quoted(cell.trim());
        cell.clear();
    };
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', _) => cell.extend(letters.next()),
            (',', None) => end(&mut cell),
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => cell.push(letter),
        }
    }
    end(&mut cell);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SplitName, Values, open};

    fn write(text: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.ARFF");
        std::fs::write(&path, text).unwrap();
        let name = path.display().to_string();
        (dir, name)
    }

    fn read(text: &str) -> Result<crate::Dataset, DataError> {
        let (_dir, name) = write(text);
        open(&name, &OpenOptions { whole: true, real: true, ..OpenOptions::default() })
    }

    #[test]
    fn attributes_name_columns_and_the_class_is_a_label() {
        let data = read(
            "% a comment\n@RELATION 'two words'\n\n@attribute 'petal width' REAL\n@Attribute y numeric\n\
             @ATTRIBUTE class {Iris one,'Iris, two'}\n@DATA\n% another\n1.5, 2,Iris one\n\
             -3,4.25,'Iris, two'\n0,1e2,Iris one\n",
        )
        .unwrap();
        assert_eq!(data.column_names, ["petal width", "y"]);
        assert_eq!(data.class_names, ["Iris one", "Iris, two"]);
        let split = data.split(SplitName::Train).unwrap();
        assert_eq!(split.values, Values::Reals(vec![1.5, 2.0, -3.0, 4.25, 0.0, 100.0]));
        assert_eq!(split.labels.as_deref(), Some(&[0, 1, 0][..]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let head = "@relation r\n@attribute x real\n@attribute y{a,b}\n@data\n";
        for (text, words) in [
            ("", "the file is empty"),
            ("@relation r\n@attribute x real\n", "line 2"),
            ("@relation r\nx,y\n", "line 2"),
            ("@relation r\n@attribute x\n@data\n1\n", "expected @attribute NAME TYPE"),
            ("@relation r\n@data\n1\n", "data without attributes"),
            (&format!("{head}1,a\n{{0 3}}\n"), "line 6: a sparse row"),
            (&format!("{head}1,a\n\n?,b\n"), "line 7, column 1 ('x')"),
            (&format!("{head}1,a\n2\n"), "line 6"),
            (head, "no numbers"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
