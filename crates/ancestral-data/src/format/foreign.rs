//! Files of other formats under the names of tables.

use memchr::memchr;

/// What a file that is no text is, and what to do with it.
pub(super) fn other_format(first: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 20] = [
        (
            b"PK\x03\x04",
            "an Excel workbook or another ZIP archive, not text; save the sheet as CSV",
        ),
        (b"\xD0\xCF\x11\xE0", "an old Excel workbook, not text; save the sheet as CSV"),
        (b"PAR1", "a Parquet file, not text; write it as CSV or .npy"),
        (b"\x93NUMPY", "a NumPy array, not text; name it .npy"),
        (b"\x89HDF", "an HDF5 file, not text; write its table as CSV or .npy"),
        (b"\xFF\xFE\0\0", "text in UTF-32; save it as UTF-8"),
        (b"\0\0\xFE\xFF", "text in UTF-32; save it as UTF-8"),
        (b"ARROW1", "an Arrow file, not text; write it as CSV or .npy"),
        (b"Obj\x01", "an Avro file, not text; write it as CSV or .npy"),
        (b"SQLite format 3\0", "an SQLite database, not text; write its table as CSV"),
        (b"%PDF-", "a PDF document, not text; write its table as CSV"),
        (b"{\\rtf", "a document of a word processor, not text; save it as plain text"),
        (b"BZh", "a file packed by bzip2; unpack it first"),
        (b"\xFD7zXZ", "a file packed by xz; unpack it first"),
        (b"7z\xBC\xAF", "a 7z archive; unpack it first"),
        (b"Rar!", "a RAR archive; unpack it first"),
        (b"MATLAB 5.0", "a file of MATLAB, not text; write its table as CSV or .npy"),
        (b"\x89PNG", "a PNG image, not text; name it .png"),
        (b"\xFF\xD8\xFF", "a JPEG image, not text; name it .jpg"),
        (b"\x80\x04\x95", "a pickle of Python, not text; write it as CSV or .npy"),
    ];
    if let Some((_, problem)) = BEGINNINGS.iter().find(|(start, _)| first.starts_with(start)) {
        return Some(problem);
    }
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    let declared = text.starts_with(b"<?xml");
    let body = match declared {
        true => &text[memchr(b'>', text).map_or(text.len(), |end| end + 1)..],
        false => text,
    };
    if is_web_page(body) {
        return Some("a web page, not a table; download the file again");
    }
    if declared {
        return Some("XML, not a table; write it as CSV");
    }
    // What follows a brace or a bracket, and blanks.
    let inner = text.get(1..).unwrap_or_default().trim_ascii_start();
    let is_json = match text.first() {
        Some(b'{') => inner.starts_with(b"\"") || inner.starts_with(b"}"),
        Some(b'[') => inner.starts_with(b"{") || inner.starts_with(b"["),
        _ => false,
    };
    if is_json {
        return Some("JSON, not a table; write it as CSV");
    }
    if is_libsvm(text) {
        return Some("a sparse file of LIBSVM, not a table; write all values, as CSV or .npy");
    }
    let line = text
        .split(|&b| b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"%"));
    let begins =
        |line: &[u8]| line.get(..9).is_some_and(|word| word.eq_ignore_ascii_case(b"@relation"));
    line.is_some_and(begins).then_some("an ARFF file; give it a name that ends in .arff")
}

/// Whether the first lines are a label and pairs of a number and a value each.
fn is_libsvm(text: &[u8]) -> bool {
    let is_pair = |word: &str| {
        word.split_once(':').is_some_and(|(at, value)| {
            !at.is_empty() && at.bytes().all(|b| b.is_ascii_digit()) && value.parse::<f64>().is_ok()
        })
    };
    let is_row = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().is_some_and(|label| label.parse::<f64>().is_ok())
            && words.clone().next().is_some()
            && words.all(is_pair)
    };
    let text = String::from_utf8_lossy(&text[..text.len().min(4096)]);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let two = [lines.next(), lines.next()];
    two.iter().flatten().count() > 0 && two.into_iter().flatten().all(is_row)
}

/// Whether a file is a web page, as downloads that fail leave behind.
pub(super) fn is_web_page(first: &[u8]) -> bool {
    let start = first[..first.len().min(64)].to_ascii_lowercase();
    let start = start.trim_ascii_start();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html")
}
