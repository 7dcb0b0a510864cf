//! The type and range of a setting, how a value is read, and the error for a value that is not allowed.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use serde::de::{self, DeserializeOwned, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

/// The type of a setting and the values that it takes.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingKind {
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`, both included.
    Int {
        /// The smallest.
        min: u64,
        /// The largest; from 2⁶³ − 1 on, where TOML's numbers end, none. Larger numbers are
        /// written as text.
        max: u64,
    },
    /// A finite real number.
    Real {
        /// The lower end.
        min: Bound<f64>,
        /// The upper end.
        max: Bound<f64>,
    },
    /// One of some choices.
    Choice(&'static [Choice]),
    /// Any text.
    Text,
    /// A list; a single value stands for a list of one.
    List(Box<SettingKind>),
}

/// A choice of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The name, as typed and stored.
    pub name: &'static str,
    /// A description in one line.
    pub doc: &'static str,
}

/// A type that a setting can have.
pub trait SettingType: Serialize + DeserializeOwned {
    /// The kind that allows every value of the type.
    fn kind() -> SettingKind;
}

/// A type of numbers, or of lists of them, whose range can be narrowed.
pub trait Ranged: SettingType {
    /// The type of the numbers.
    type Number;

    /// The values (of a list: the entries) in a range.
    fn within(range: impl RangeBounds<Self::Number>) -> SettingKind;
}

/// The range above `least`, which is itself left out.
pub const fn above(least: f64) -> (Bound<f64>, Bound<f64>) {
    (Bound::Excluded(least), Bound::Unbounded)
}

/// The range above `least`, which is left out, to `most`, which is not.
pub const fn above_to(least: f64, most: f64) -> (Bound<f64>, Bound<f64>) {
    (Bound::Excluded(least), Bound::Included(most))
}

impl SettingType for bool {
    fn kind() -> SettingKind {
        SettingKind::Bool
    }
}

impl SettingType for String {
    fn kind() -> SettingKind {
        SettingKind::Text
    }
}

impl SettingType for f64 {
    fn kind() -> SettingKind {
        Self::within(..)
    }
}

impl Ranged for f64 {
    type Number = Self;

    fn within(range: impl RangeBounds<Self>) -> SettingKind {
        SettingKind::Real { min: range.start_bound().cloned(), max: range.end_bound().cloned() }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl SettingType for $type {
            fn kind() -> SettingKind {
                Self::within(..)
            }
        }

        impl Ranged for $type {
            type Number = Self;

            fn within(range: impl RangeBounds<Self>) -> SettingKind {
                let min = match range.start_bound() {
                    Bound::Included(&least) => least as u64,
                    Bound::Excluded(&least) => (least as u64).saturating_add(1),
                    Bound::Unbounded => 0,
                };
                let max = match range.end_bound() {
                    Bound::Included(&most) => most as u64,
                    Bound::Excluded(&most) => (most as u64).saturating_sub(1),
                    // TOML's numbers end there.
                    Bound::Unbounded => (<$type>::MAX as u64).min(i64::MAX as u64),
                };
                SettingKind::Int { min, max }
            }
        }
    )*};
}

whole_numbers!(u32, u64, usize);

/// The seed of random numbers: any `u64`, in TOML as text where its numbers end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Seed(pub u64);

impl SettingType for Seed {
    fn kind() -> SettingKind {
        SettingKind::Int { min: 0, max: u64::MAX }
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(seed) => serializer.serialize_i64(seed),
            Err(_) => serializer.serialize_str(&self.0.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SeedVisitor).map(Self)
    }
}

struct SeedVisitor;

impl Visitor<'_> for SeedVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 2^64 - 1")
    }

    fn visit_i64<E: de::Error>(self, seed: i64) -> Result<u64, E> {
        u64::try_from(seed).map_err(|_| E::invalid_value(Unexpected::Signed(seed), &self))
    }

    fn visit_u64<E: de::Error>(self, seed: u64) -> Result<u64, E> {
        Ok(seed)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<T: SettingType> SettingType for Vec<T> {
    fn kind() -> SettingKind {
        SettingKind::List(Box::new(T::kind()))
    }
}

impl<T: Ranged> Ranged for Vec<T> {
    type Number = T::Number;

    fn within(range: impl RangeBounds<T::Number>) -> SettingKind {
        SettingKind::List(Box::new(T::within(range)))
    }
}

/// The largest number of a setting: networks hold it in single precision.
pub(super) const LARGEST: f64 = f32::MAX as f64;

impl SettingKind {
    /// The value as the setting stores it: integers and reals are converted, and a single value becomes
    /// a list of one.
    ///
    /// # Errors
    /// If it is not allowed; the message says what is.
    pub fn read(&self, value: &Value) -> Result<Value, String> {
        self.convert(value).ok_or_else(|| match (self, value) {
            (Self::Real { .. }, Value::Float(x)) if !x.is_finite() => {
                format!("{self}, and finite")
            }
            (Self::Real { .. }, Value::Float(x)) if x.abs() > LARGEST => {
                format!("{self}, and within single precision, which ends at 3.4e38")
            }
            (Self::Real { .. }, Value::String(_) | Value::Boolean(_) | Value::Array(_)) => {
                format!("{self}, a single number")
            }
            // A single value stands for a list of one.
            (Self::List(of), single) if !single.is_array() => match of.read(single) {
                Err(allowed) => allowed,
                Ok(_) => self.to_string(),
            },
            (Self::Choice(choices), Value::String(word)) => {
                let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
                match super::nearest(word, &names) {
                    Some(near) => format!("{self} (did you mean '{near}'?)"),
                    None => self.to_string(),
                }
            }
            _ => self.to_string(),
        })
    }

    fn convert(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Bool, Value::Boolean(_)) => Some(value.clone()),
            (Self::Int { min, max }, Value::Integer(n)) => {
                let fits = u64::try_from(*n).is_ok_and(|n| (*min..=*max).contains(&n));
                fits.then(|| value.clone())
            }
            (Self::Int { min, max }, Value::String(text)) if *max > i64::MAX as u64 => {
                let n: u64 = text.parse().ok()?;
                let number = i64::try_from(n).map_or(Value::String(n.to_string()), Value::Integer);
                (*min..=*max).contains(&n).then_some(number)
            }
            // 1e5 counts as an integer.
            (Self::Int { .. }, Value::Float(x)) if x.fract() == 0.0 && x.abs() < 2f64.powi(63) => {
                self.convert(&Value::Integer(*x as i64))
            }
            (Self::Real { .. }, Value::Integer(n)) => self.convert(&Value::Float(*n as f64)),
            (Self::Real { min, max }, Value::Float(x)) => {
                let fits = x.abs() <= LARGEST && (*min, *max).contains(x);
                fits.then(|| value.clone())
            }
            (Self::Text, Value::String(_)) => Some(value.clone()),
            (Self::Choice(choices), Value::String(word)) => {
                choices.iter().any(|choice| choice.name == word).then(|| value.clone())
            }
            (Self::List(of), Value::Array(values)) => {
                // A list of numbers stands for a list of one list.
                let flat = values.iter().any(|value| !value.is_array());
                if flat && matches!(**of, Self::List(_)) {
                    return of.convert(value).map(|list| Value::Array(vec![list]));
                }
                values.iter().map(|v| of.convert(v)).collect::<Option<_>>().map(Value::Array)
            }
            // Brackets mean something to some shells; a list of numbers needs none.
            (Self::List(of), Value::String(text))
                if text.contains(',') && !matches!(**of, Self::Text | Self::Choice(_)) =>
            {
                if text.contains(['#', '\n']) {
                    return None;
                }
                let list: toml::Table = format!("v = [{text}]").parse().ok()?;
                self.convert(&list["v"])
            }
            (Self::List(of), single) => of.convert(single).map(|one| Value::Array(vec![one])),
            _ => None,
        }
    }
}

impl SettingKind {
    /// A short description of the allowed values, which help shows after the default; empty if the
    /// default suffices.
    pub fn summary(&self) -> String {
        match self {
            Self::Bool | Self::Text => String::new(),
            Self::Int { min: 0, max } if *max >= i64::MAX as u64 => String::new(),
            Self::Int { min, max } if *max >= i64::MAX as u64 => format!("{min} or more"),
            Self::Int { min, max } => format!("{min} to {max}"),
            Self::Real { min: Bound::Unbounded, max: Bound::Unbounded } => String::new(),
            Self::Real { .. } => self.to_string().replacen("it must be ", "", 1),
            Self::Choice(choices) => {
                choices.iter().map(|choice| choice.name).collect::<Vec<_>>().join(", ")
            }
            Self::List(of) => match of.summary() {
                each if each.is_empty() => each,
                each if matches!(**of, Self::List(_)) => each,
                each => format!("each {each}"),
            },
        }
    }
}

/// The allowed values, as the end of an error message.
impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("give true or false"),
            Self::Text => f.write_str("give text in quotation marks"),
            Self::Int { min, max: u64::MAX } => {
                write!(f, "it must be a whole number from {min} to {}", u64::MAX)
            }
            Self::Int { min, max } if *max >= i64::MAX as u64 => {
                write!(f, "it must be a whole number, {min} or more")
            }
            Self::Int { min, max } => {
                write!(f, "it must be a whole number from {min} to {max}")
            }
            Self::Real { min, max } => {
                f.write_str("it must be ")?;
                match (min, max) {
                    (Bound::Unbounded, Bound::Unbounded) => f.write_str("a finite number"),
                    (Bound::Included(a), Bound::Unbounded) => write!(f, "{a} or more"),
                    (Bound::Excluded(a), Bound::Unbounded) => write!(f, "above {a}"),
                    (Bound::Unbounded, Bound::Included(b)) => write!(f, "at most {b}"),
                    (Bound::Unbounded, Bound::Excluded(b)) => write!(f, "below {b}"),
                    (Bound::Included(a), Bound::Included(b)) => write!(f, "from {a} to {b}"),
                    (Bound::Included(a), Bound::Excluded(b)) => {
                        write!(f, "at least {a} and below {b}")
                    }
                    (Bound::Excluded(a), Bound::Included(b)) => {
                        write!(f, "above {a} and at most {b}")
                    }
                    (Bound::Excluded(a), Bound::Excluded(b)) => {
                        write!(f, "above {a} and below {b}")
                    }
                }
            }
            Self::Choice(choices) => {
                f.write_str("choose ")?;
                for (i, choice) in choices.iter().enumerate() {
                    let before = match i {
                        0 => "",
                        i if i + 1 == choices.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{before}{}", choice.name)?;
                }
                Ok(())
            }
            Self::List(of) => match &**of {
                Self::List(of) => write!(f, "give lists, as in [[1, 2], [3]]; of each entry, {of}"),
                of => write!(f, "give a list, as in [1, 2]; of each entry, {of}"),
            },
        }
    }
}
