//! Tokens of a call, as servers tell them.
//!
//! What they tell is money, but an answer that was paid for is not thrown away for an odd count: a
//! count that makes no sense counts as not told. So no sum of counts can overflow either: each has
//! 32 bits, more than any call can have.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The `usage` of an answer; what is not told is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) prompt: Option<u64>,
    pub(crate) completion: Option<u64>,
    pub(crate) total: Option<u64>,
}

/// One count.
#[derive(Default)]
struct Count(Option<u64>);

/// What is read of any JSON value: its number or its fields, else the default.
trait Odd<'de>: Default {
    fn number(_number: f64) -> Self {
        Self::default()
    }

    fn fields<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl Odd<'_> for Count {
    fn number(number: f64) -> Self {
        let is_count = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        Count(is_count.then_some(number as u64))
    }
}

impl<'de> Odd<'de> for Told {
    fn fields<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut told = Told::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let field = match &*name {
                "prompt_tokens" => &mut told.prompt,
                "completion_tokens" => &mut told.completion,
                "total_tokens" => &mut told.total,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value::<Count>()?.0;
        }
        Ok(told)
    }
}

struct Any<T>(std::marker::PhantomData<T>);

impl<'de, T: Odd<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::fields(map)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_makes_no_sense_is_not_told() {
        let told = |text: &str| serde_json::from_str::<Told>(text).unwrap();
        let all = Told { prompt: Some(3), completion: Some(4), total: Some(7) };
        let text = r#"{"prompt_tokens":3,"completion_tokens":4.0,"x":[{}],"total_tokens":7}"#;
        assert_eq!(told(text), all);
        for count in [
            "-1",
            "2.5",
            "18446744073709551615",
            "1e300",
            "null",
            "\"3\"",
            "true",
            "[3]",
            "{\"a\":3}",
        ] {
            assert_eq!(
                told(&format!("{{\"prompt_tokens\":{count},\"total_tokens\":7}}")),
                Told { total: Some(7), ..Told::default() }
            );
        }
        for odd in ["\"much\"", "7", "[1,[2]]", "null", "false", "{}"] {
            assert_eq!(told(odd), Told::default());
        }
        assert!(serde_json::from_str::<Told>("{\"prompt_tokens\":[3}").is_err());
    }
}
