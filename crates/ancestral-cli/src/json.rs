//! JSON in which numbers that are not finite are the words "inf", "-inf" and "nan".
//!
//! Null stands for what is absent.

use anyhow::{Context, Result};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Value;

/// A value as JSON in one line.
pub(crate) fn text(value: &impl Serialize) -> Result<String> {
    let mut bytes = Vec::new();
    value
        .serialize(Words(&mut serde_json::Serializer::new(&mut bytes)))
        .context("cannot write JSON")?;
    String::from_utf8(bytes).context("cannot write JSON")
}

/// A value as a tree.
pub(crate) fn value(value: &impl Serialize) -> Result<Value> {
    serde_json::from_str(&text(value)?).context("cannot write JSON")
}

/// A number as JSON.
pub(crate) fn number(value: f64) -> Value {
    match word(value) {
        Some(word) => word.into(),
        None => value.into(),
    }
}

/// The word for a number that is not finite.
fn word(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_finite() => None,
        v if v.is_nan() => Some("nan"),
        v if v > 0.0 => Some("inf"),
        _ => Some("-inf"),
    }
}

/// Hands everything on, and words for numbers that are not finite.
struct Words<S>(S);

/// A value whose parts are written with words.
struct Part<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(Words(serializer))
    }
}

macro_rules! hand_on {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> std::result::Result<S::Ok, S::Error> {
            self.0.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Words<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Words<S::SerializeSeq>;
    type SerializeTuple = Words<S::SerializeTuple>;
    type SerializeTupleStruct = Words<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Words<S::SerializeTupleVariant>;
    type SerializeMap = Words<S::SerializeMap>;
    type SerializeStruct = Words<S::SerializeStruct>;
    type SerializeStructVariant = Words<S::SerializeStructVariant>;

    hand_on! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_f32(self, value: f32) -> std::result::Result<S::Ok, S::Error> {
        match word(value.into()) {
            Some(word) => self.0.serialize_str(word),
            None => self.0.serialize_f32(value),
        }
    }

    fn serialize_f64(self, value: f64) -> std::result::Result<S::Ok, S::Error> {
        match word(value) {
            Some(word) => self.0.serialize_str(word),
            None => self.0.serialize_f64(value),
        }
    }

    fn serialize_none(self) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(
        self,
        value: &T,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_some(&Part(value))
    }

    fn serialize_unit(self) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Part(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(name, index, variant, &Part(value))
    }

    fn serialize_seq(
        self,
        length: Option<usize>,
    ) -> std::result::Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(length).map(Words)
    }

    fn serialize_tuple(self, length: usize) -> std::result::Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(length).map(Words)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> std::result::Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, length).map(Words)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> std::result::Result<Self::SerializeTupleVariant, S::Error> {
        self.0.serialize_tuple_variant(name, index, variant, length).map(Words)
    }

    fn serialize_map(
        self,
        length: Option<usize>,
    ) -> std::result::Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(length).map(Words)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> std::result::Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(name, length).map(Words)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> std::result::Result<Self::SerializeStructVariant, S::Error> {
        self.0.serialize_struct_variant(name, index, variant, length).map(Words)
    }
}

macro_rules! parts {
    ($($of:ident: $method:ident($($key:ident: $type:ty)?);)*) => {
        $(impl<S: $of> $of for Words<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $type,)?
                value: &T,
            ) -> std::result::Result<(), S::Error> {
                self.0.$method($($key,)? &Part(value))
            }

            fn end(self) -> std::result::Result<S::Ok, S::Error> {
                self.0.end()
            }
        })*
    };
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(key: &'static str);
    SerializeStructVariant: serialize_field(key: &'static str);
}

impl<S: SerializeMap> SerializeMap for Words<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(
        &mut self,
        key: &T,
    ) -> std::result::Result<(), S::Error> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> std::result::Result<(), S::Error> {
        self.0.serialize_value(&Part(value))
    }

    fn end(self) -> std::result::Result<S::Ok, S::Error> {
        self.0.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Values {
        one: f64,
        #[serde(flatten)]
        inner: Inner,
        absent: Option<f64>,
        list: Vec<(String, f64)>,
    }

    #[derive(serde::Serialize)]
    struct Inner {
        two: Option<f64>,
        three: f32,
    }

    #[test]
    fn numbers_that_are_not_finite_are_words() {
        let inner = Inner { two: Some(f64::NEG_INFINITY), three: f32::NAN };
        let list = vec![("a".to_owned(), f64::NAN), ("b".to_owned(), 0.1)];
        let values = Values { one: f64::INFINITY, inner, absent: None, list };
        let expected = "{\"one\":\"inf\",\"two\":\"-inf\",\"three\":\"nan\",\"absent\":null,\
                        \"list\":[[\"a\",\"nan\"],[\"b\",0.1]]}";
        assert_eq!(text(&values).unwrap(), expected);
        assert_eq!(value(&values).unwrap()["two"], "-inf");
        assert_eq!((number(1.5), number(f64::INFINITY)), (1.5.into(), "inf".into()));
    }
}
