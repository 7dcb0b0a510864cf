//! Settings: one definition gives the type, its documentation, its defaults and its checks.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use ancestral_data::nearest;

use crate::{Error, Result};

/// One setting as users see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name, as in `--set name=value`.
    pub name: &'static str,
    /// What it does, with its unit.
    pub doc: String,
    /// The default, as TOML.
    pub default: String,
}

/// A group of settings, made by the [`settings!`](crate::settings!) macro.
pub trait Settings: Serialize + DeserializeOwned + Default {
    /// The settings in the order they are declared.
    fn fields() -> Vec<Field>;

    /// Reads the group from a table that may leave settings out.
    ///
    /// # Errors
    /// If a name is unknown or a value has the wrong type.
    fn from_table(table: &Table) -> Result<Self> {
        let fields = Self::fields();
        for (name, value) in table {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                return Err(unknown(name, &names));
            };
            let one = Table::from_iter([(name.clone(), value.clone())]);
            one.try_into::<Self>().map_err(|error| {
                let first = error.message().lines().next().unwrap_or_default().to_owned();
                Error::setting(
                    field.name,
                    value,
                    format!("{first}; the default is {}", field.default),
                )
            })?;
        }
        table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| Error::setting("settings", "?", error.message()))
    }

    /// The whole group as a table.
    fn to_table(&self) -> Table {
        // Settings are plain numbers, strings and lists, which always serialise.
        Table::try_from(self).unwrap_or_default()
    }
}

/// The error for an unknown setting, with the nearest known name.
pub fn unknown(name: &str, known: &[&str]) -> Error {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the settings are: {}", known.join(", ")),
    };
    Error::UnknownSetting { name: name.to_owned(), hint }
}

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
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ pub $field:ident : $type:ty = $default:expr, )*
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
                vec![ $( $crate::settings::Field {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),+).lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned(),
                    default: defaults
                        .get(stringify!($field))
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                }, )* ]
            }
        }
    };
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro declares public groups")]
mod tests {
    use super::*;

    settings! {
        /// A group for the tests.
        pub struct Group {
            /// How many.
            pub count: usize = 3,
            /// How fast,
            /// in steps.
            pub learning_rate: f64 = 0.5,
            /// Sizes.
            pub sizes: Vec<usize> = vec![2, 2],
        }
    }

    #[test]
    fn fields_carry_docs_and_defaults() {
        let fields = Group::fields();
        assert_eq!(fields[1].name, "learning_rate");
        assert_eq!(fields[1].doc, "How fast, in steps.");
        assert_eq!(fields[2].default, "[2, 2]");
        assert_eq!(Group::from_table(&Group::default().to_table()).unwrap(), Group::default());
    }

    #[test]
    fn slips_are_named() {
        let error = Group::from_table(&"learning_rat = 1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("did you mean 'learning_rate'?"), "{error}");
        let error = Group::from_table(&"zebra = 1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("the settings are: count"), "{error}");
        let error = Group::from_table(&"count = -1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("setting 'count' is -1"), "{error}");
    }

    #[test]
    fn assignments_read_as_toml_or_as_a_word() {
        assert_eq!(parse_assignment("a = [1, 2]").unwrap().1.as_array().unwrap().len(), 2);
        assert_eq!(parse_assignment("a=1e-3").unwrap().1.as_float(), Some(1e-3));
        assert_eq!(parse_assignment("a=cosine").unwrap().1.as_str(), Some("cosine"));
        assert!(parse_assignment("a").is_err());
    }
}
