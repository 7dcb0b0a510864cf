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

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_none() {
        let known = ["digits", "mnist", "moons"];
        assert_eq!(nearest("minst", &known), Some("mnist"));
        assert_eq!(nearest("moon", &known), Some("moons"));
        assert_eq!(nearest("MNIST", &known), Some("mnist"));
        assert_eq!(nearest("photographs", &known), None);
    }
}
