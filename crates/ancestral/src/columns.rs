//! Kinds of columns.

use std::fmt;
use std::str::FromStr;

use ancestral_data::Domain;

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Any finite real.
    Real,
    /// Counts 0, 1, 2, …, unbounded.
    Count,
    /// 0 or 1.
    Binary,
    /// Ordered levels 0, 1, …, n − 1.
    Levels(u32),
    /// Unordered categories, numbered 0, 1, …, n − 1.
    Category(u32),
}

impl ColumnKind {
    /// The largest value, for kinds that have one.
    pub fn max_level(self) -> Option<u32> {
        match self {
            Self::Real | Self::Count => None,
            Self::Binary => Some(1),
            Self::Levels(n) | Self::Category(n) => Some(n.saturating_sub(1)),
        }
    }

    /// Whether its distribution is a probability mass (rather than a density).
    pub fn is_discrete(self) -> bool {
        self != Self::Real
    }

    /// The kind without the number of values.
    pub fn name(self) -> KindName {
        match self {
            Self::Real => KindName::Real,
            Self::Count => KindName::Count,
            Self::Binary => KindName::Binary,
            Self::Levels(_) => KindName::Levels,
            Self::Category(_) => KindName::Category,
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("real"),
            Self::Count => f.write_str("a count"),
            Self::Binary => f.write_str("binary"),
            Self::Levels(n) => write!(f, "of {n} levels"),
            Self::Category(n) => write!(f, "of {n} categories"),
        }
    }
}

impl ColumnKind {
    /// The kind as files store it: "real", "count", "binary", "levels(N)" or "category(N)".
    pub fn as_word(self) -> String {
        match self {
            Self::Levels(n) | Self::Category(n) => format!("{}({n})", self.name().as_str()),
            _ => self.name().as_str().to_owned(),
        }
    }
}

/// A word that is not a kind of column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a kind of column; give real, count, binary, levels(N) or category(N), with N of 2 or \
     more"
)]
pub struct UnknownKind(pub String);

impl FromStr for ColumnKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let with_number = text.strip_suffix(')').and_then(|text| text.split_once('('));
        match (text, with_number.map(|(name, n)| (name, n.parse::<u32>().unwrap_or(0)))) {
            ("real", _) => Ok(Self::Real),
            ("count", _) => Ok(Self::Count),
            ("binary", _) => Ok(Self::Binary),
            (_, Some(("levels", n))) if n > 1 => Ok(Self::Levels(n)),
            (_, Some(("category", n))) if n > 1 => Ok(Self::Category(n)),
            _ => Err(UnknownKind(text.to_owned())),
        }
    }
}

impl From<Domain> for ColumnKind {
    fn from(domain: Domain) -> Self {
        match domain {
            Domain::Binary => Self::Binary,
            Domain::Levels(n) => Self::Levels(n),
            Domain::Real => Self::Real,
        }
    }
}

/// A kind of column without the number of values, as models declare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KindName {
    /// [`ColumnKind::Real`].
    Real,
    /// [`ColumnKind::Count`].
    Count,
    /// [`ColumnKind::Binary`].
    Binary,
    /// [`ColumnKind::Levels`].
    Levels,
    /// [`ColumnKind::Category`].
    Category,
}

impl KindName {
    /// The name, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Count => "count",
            Self::Binary => "binary",
            Self::Levels => "levels",
            Self::Category => "category",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_as_they_are_written() {
        let kinds = ["real", "count", "binary", "levels(17)", "category(3)"];
        for word in kinds {
            assert_eq!(word.parse::<ColumnKind>().unwrap().as_word(), word);
        }
        for bad in ["", "levels", "levels(1)", "levels(x)", "real(3)", "colour", "binary)"] {
            let error = bad.parse::<ColumnKind>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{bad}'")), "{error}");
        }
    }
}
