//! Suggestions for misspelled names.

/// The known name with the smallest edit distance, if it is close enough to be a typing error.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|&k| (edits(&name.to_lowercase(), &k.to_lowercase()), k))
        .filter(|&(distance, k)| distance <= 1 + k.len().min(name.len()) / 3)
        .min()
        .map(|(_, k)| k)
}

/// Whether two names look alike, but one has characters that are not seen, or accents as characters of
/// their own (NFD).
pub fn are_alike(one: &str, other: &str) -> bool {
    let is_accent = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let is_unseen = |c: char| ('\u{200b}'..='\u{200d}').contains(&c) || c == '\u{feff}';
    let seen = |text: &str| -> Vec<char> {
        let text = text.chars().filter(|&c| !is_unseen(c));
        text.map(|c| if c == '\u{a0}' { ' ' } else { c }).collect()
    };
    let (a, b) = (seen(one), seen(other));
    if one == other || a == b {
        return one != other;
    }
    let bare =
        |text: Vec<char>| -> Vec<char> { text.into_iter().filter(|&c| !is_accent(c)).collect() };
    let (a, b) = (bare(a), bare(b));
    let same = |(a, b): (&char, &char)| a == b || a.is_ascii() != b.is_ascii();
    a.len() == b.len() && a != b && a.iter().zip(&b).all(same)
}

/// Levenshtein distance, in which two neighboring letters that changed places count once.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let change = row[j] + usize::from(a[i] != b[j]);
            let mut least = change.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike() {
        assert!(are_alike("caf\u{e9}", "cafe\u{301}") && are_alike("a\u{200b}", "a"));
        assert!(are_alike("\u{feff}a b", "a\u{a0}b"));
        for (a, b) in [("a", "a"), ("cafe", "caff"), ("a", "b"), ("caf\u{e9}", "caf\u{e8}")] {
            assert!(!are_alike(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_slip_finds_its_name_and_another_word_none() {
        let known = ["digits", "mnist", "moons"];
        assert_eq!(nearest("minst", &known), Some("mnist"));
        assert_eq!(nearest("moon", &known), Some("moons"));
        assert_eq!(nearest("vea", &["beta", "vae"]), Some("vae"));
        assert_eq!([edits("ab", "ba"), edits("abc", "ca"), edits("", "xy")], [1, 3, 2]);
        assert_eq!(nearest("MNIST", &known), Some("mnist"));
        assert_eq!(nearest("photographs", &known), None);
    }
}
