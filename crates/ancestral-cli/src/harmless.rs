//! Text that a terminal only shows.

use std::borrow::Cow;

/// Text without characters that a terminal obeys, which names and notes in files may hold: they are
/// escaped as in JSON. Line breaks and tabs stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            // Marks and overrides of the direction of writing.
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let escaped = |c: char| match is_obeyed(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_obeys_are_escaped() {
        assert_eq!(harmless("a\nb\tc – é"), "a\nb\tc – é");
        let text = "\u{1b}[31mred\r\u{7}\u{9b}2J\u{7f}\u{202e}";
        assert_eq!(harmless(text), r"\u001b[31mred\u000d\u0007\u009b2J\u007f\u202e");
        let json = serde_json::json!({ "name": text }).to_string();
        let read: serde_json::Value = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read["name"], text);
    }
}
