//! Settings: one declaration gives the type, the default, the range or the choices, the unit, the
//! documentation, the check, the error, the help and the JSON schema.
//!
//! Rules between several settings are in the `check` of their group.

mod kind;
mod schema;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use ancestral_data::nearest;
pub use kind::{Choice, Ranged, Seed, SettingKind, SettingType, above, above_to};
pub use schema::schema;

use crate::{Error, Result};

/// One setting as users see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name, as in `--set name=value`.
    pub name: &'static str,
    /// Other accepted names.
    pub aliases: &'static [&'static str],
    /// The documentation.
    pub doc: String,
    /// The unit of its value, if it has one.
    pub unit: Option<&'static str>,
    /// Its type and allowed values.
    pub kind: SettingKind,
    /// The default.
    pub default: Value,
}

impl Field {
    /// Whether `name` means this setting.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// A group of settings, made by the [`settings!`](crate::settings!) macro.
pub trait Settings: Serialize + serde::de::DeserializeOwned + Default {
    /// The settings in the order of declaration.
    fn fields() -> Vec<Field>;

    /// Reads the group from a table, with defaults for missing settings; all names are accepted.
    ///
    /// # Errors
    /// If a name is unknown or given twice, or a value is not allowed.
    fn from_table(table: &Table) -> Result<Self> {
        normalize(&Self::fields(), table)?
            .try_into()
            .map_err(|error: toml::de::Error| Error::setting("settings", "?", error.message()))
    }

    /// The group as a table, under the stored names.
    fn to_table(&self) -> Table {
        // Settings are numbers, strings and lists, which always serialize.
        Table::try_from(self).unwrap_or_default()
    }

    /// Checks each value of a group that was built in code.
    ///
    /// # Errors
    /// Naming the first setting whose value is not allowed.
    fn check_values(&self) -> Result<()> {
        let table = Table::try_from(self).map_err(|error| {
            Error::setting("settings", "?", format!("a number is too large: {error}"))
        })?;
        normalize(&Self::fields(), &table).map(drop)
    }
}

/// The table with all settings under their stored names and all values as they are stored.
///
/// # Errors
/// If a name is unknown or given twice, or a value is not allowed.
pub fn normalize(fields: &[Field], table: &Table) -> Result<Table> {
    let mut all = Table::new();
    for (name, value) in table {
        let Some(field) = fields.iter().find(|field| field.is(name)) else {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            return Err(unknown(name, &names));
        };
        let read = field.kind.read(value).map_err(|allowed| {
            let default = &field.default;
            Error::setting(field.name, value, format!("{allowed}; the default is {default}"))
        })?;
        if all.insert(field.name.to_owned(), read).is_some() {
            let why = format!("it is given twice, also under another name than {}", field.name);
            return Err(Error::setting(name, value, why));
        }
    }
    Ok(all)
}

/// Reads a group inside a larger value, for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, S: Settings, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<S, D::Error> {
    S::from_table(&Table::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The error for an unknown setting, with the nearest known name.
pub fn unknown(name: &str, known: &[&str]) -> Error {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the settings are: {}", known.join(", ")),
    };
    Error::UnknownSetting { name: name.to_owned(), hint }
}

/// The text of a TOML file with seeds beyond TOML's numbers as text, as this library writes them.
pub(crate) fn with_large_seeds(text: &str) -> std::borrow::Cow<'_, str> {
    let is_large = |word: &str| word.parse::<u64>().is_ok_and(|n| i64::try_from(n).is_err());
    let quoted = |line: &str| {
        let (key, rest) = line.split_once('=')?;
        let (value, comment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
        let large = SEEDS.contains(&key.trim()) && is_large(value.trim());
        large.then(|| format!("{key}= \"{}\" {comment}", value.trim()))
    };
    if text.lines().all(|line| quoted(line).is_none()) {
        return text.into();
    }
    let lines = text.lines().map(|line| quoted(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n").into()
}

/// The keys of seeds in files.
const SEEDS: [&str; 2] = ["seed", "order_seed"];

/// Reads `key=value` as TOML, taking a bare word for a string.
///
/// # Errors
/// If there is no `=`.
pub fn parse_assignment(text: &str) -> Result<(String, Value)> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(Error::setting(text, "given without a value", "write it as key=value"));
    };
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    Ok((key.to_owned(), parsed.unwrap_or_else(|| Value::String(value.to_owned()))))
}

/// Declares a group of settings: a struct with documentation, defaults, serde and
/// [`Settings`](crate::settings::Settings).
///
/// The default of a setting may be followed, in this order, by `in RANGE` (of a list: of its entries),
/// `unit "…"` and `also ["…"]` (other accepted names).
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $field:ident : $type:ty = $default:expr
                    $(, in $range:expr)?
                    $(, unit $unit:literal)?
                    $(, also $also:expr)?
                ;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::settings::Settings for $name {
            fn fields() -> Vec<$crate::settings::Field> {
                let defaults = toml::Table::try_from(Self::default()).unwrap_or_default();
                vec![ $( {
                    #[allow(unused_mut, unused_assignments, reason = "most fields have no more than a default")]
                    let mut field = $crate::settings::Field {
                        name: stringify!($field),
                        aliases: &[],
                        doc: concat!($($doc, "\n"),+)
                            .lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned(),
                        unit: None,
                        kind: <$type as $crate::settings::SettingType>::kind(),
                        default: toml::Value::Boolean(false),
                    };
                    $( field.kind = <$type as $crate::settings::Ranged>::within($range); )?
                    $( field.unit = Some($unit); )?
                    $( field.aliases = &$also; )?
                    if let Some(default) = defaults.get(field.name) {
                        field.default = default.clone();
                    }
                    field
                }, )* ]
            }
        }
    };
}

/// Declares the choices of a setting: an enum whose variants have documentation and the names that
/// users type.
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// The name, as typed and stored.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::settings::SettingType for $name {
            fn kind() -> $crate::settings::SettingKind {
                const CHOICES: &[$crate::settings::Choice] = &[
                    $( $crate::settings::Choice {
                        name: $word,
                        doc: concat!($($doc),+).trim_ascii(),
                    }, )+
                ];
                $crate::settings::SettingKind::Choice(CHOICES)
            }
        }
    };
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macros declare public groups")]
mod tests {
    use super::*;

    choices! {
        /// Ways for the tests.
        pub enum Way {
            /// Not at all.
            Still = "still",
            /// At once.
            Fast = "very-fast",
        }
    }

    settings! {
        /// A group for the tests.
        pub struct Group {
            /// How many.
            pub count: usize = 3, in 1..=9;
            /// How fast,
            /// in steps.
            pub learning_rate: f64 = 0.5, in above(0.0), unit "steps", also ["rate", "speed"];
            /// Sizes.
            pub sizes: Vec<usize> = vec![2, 2], in 1..;
            /// Sizes of sizes.
            pub layers: Vec<Vec<usize>> = vec![vec![1]];
            /// Which way.
            pub way: Way = Way::Still;
            /// Whether.
            pub truly: bool = true;
        }
    }

    fn read(text: &str) -> Result<Group> {
        Group::from_table(&text.parse().unwrap())
    }

    #[test]
    fn fields_carry_docs_units_kinds_and_defaults() {
        let fields = Group::fields();
        assert_eq!((fields[1].name, fields[1].aliases), ("learning_rate", &["rate", "speed"][..]));
        assert_eq!(fields[1].doc, "How fast, in steps.");
        assert_eq!(fields[1].unit, Some("steps"));
        assert_eq!(fields[1].default, Value::Float(0.5));
        assert_eq!(fields[2].default.to_string(), "[2, 2]");
        assert_eq!(fields[4].default.as_str(), Some("still"));
        let table = Group::default().to_table();
        assert!(table.contains_key("learning_rate"), "{table}");
        assert_eq!(Group::from_table(&table).unwrap(), Group::default());
    }

    #[test]
    fn values_are_read_as_they_are_meant() {
        assert_eq!(read("learning_rate = 1").unwrap().learning_rate, 1.0);
        assert_eq!(read("speed = 2").unwrap().learning_rate, 2.0);
        assert_eq!(read("count = 4.0").unwrap().count, 4);
        assert_eq!(read("sizes = 7").unwrap().sizes, [7]);
        assert_eq!(read("sizes = '7, 8'").unwrap().sizes, [7, 8]);
        assert_eq!(read("layers = 7").unwrap().layers, [[7]]);
        assert_eq!(read("layers = [7, 8]").unwrap().layers, [[7, 8]]);
        assert_eq!(read("layers = '7,8'").unwrap().layers, [[7, 8]]);
        assert_eq!(read("layers = '[7, 8], [9]'").unwrap().layers, [vec![7, 8], vec![9]]);
        assert_eq!(read("layers = [[7, 8], []]").unwrap().layers, [vec![7, 8], vec![]]);
        assert_eq!(read("way = 'very-fast'").unwrap().way, Way::Fast);
    }

    #[test]
    fn slips_are_named() {
        for (text, part) in [
            ("learning_rat = 1", "did you mean 'learning_rate'?"),
            ("zebra = 1", "the settings are: count"),
            ("count = -1", "setting 'count' is -1; it must be a whole number from 1 to 9"),
            ("count = 1.5", "the default is 3"),
            ("count = 10", "setting 'count' is 10"),
            ("learning_rate = 0.0", "it must be above 0"),
            ("learning_rate = nan", "setting 'learning_rate' is nan"),
            ("rate = inf", "setting 'learning_rate' is inf"),
            ("rate = 1\nspeed = 1", "given twice"),
            ("sizes = [1, 0]", "give a list, as in [1, 2]; of each entry"),
            ("layers = [[1], 2]", "give lists"),
            ("sizes = '1, x'", "setting 'sizes' is \"1, x\""),
            ("sizes = '1, 0'", "1 or more"),
            ("sizes = '1, 2] #'", "1 or more"),
            ("way = 'fast'", "choose still or very-fast"),
            ("way = 'very-fats'", "did you mean 'very-fast'?"),
            ("way = 3", "choose still or very-fast"),
            ("truly = 'yes'", "give true or false"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn groups_made_in_code_are_checked_too() {
        assert!(Group::default().check_values().is_ok());
        for group in [
            Group { learning_rate: f64::NAN, ..Group::default() },
            Group { sizes: vec![0], ..Group::default() },
            Group { count: usize::MAX, ..Group::default() },
        ] {
            assert!(group.check_values().is_err(), "{group:?}");
        }
    }

    #[test]
    fn the_schema_says_what_the_check_does() {
        let schema = schema("group", &Group::fields());
        let of = |name: &str| &schema["properties"][name];
        assert_eq!(of("count")["minimum"], 1);
        assert_eq!(of("count")["maximum"], 9);
        assert_eq!(of("learning_rate")["exclusiveMinimum"], 0.0);
        assert_eq!(of("learning_rate")["unit"], "steps");
        assert_eq!(of("layers")["items"]["items"]["type"], "integer");
        assert_eq!(of("way")["enum"][1], "very-fast");
        assert_eq!(of("way")["default"], "still");
    }

    #[test]
    fn assignments_read_as_toml_or_as_a_word() {
        assert_eq!(parse_assignment("a = [1, 2]").unwrap().1.as_array().unwrap().len(), 2);
        assert_eq!(parse_assignment("a=1e-3").unwrap().1.as_float(), Some(1e-3));
        assert_eq!(parse_assignment("a=cosine").unwrap().1.as_str(), Some("cosine"));
        assert!(parse_assignment("a").is_err());
    }
}
