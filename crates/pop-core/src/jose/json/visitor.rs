//! The visitors behind [`Json`] and [`Object`]. [`Object::parse`] and [`Object::walk`] share them, so that the same limits apply
//! to both.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Json, JsonLimits, Object};
use crate::jose::Malformed;

/// Parses a document that is one value.
pub(super) fn value(text: &str, limits: JsonLimits) -> Result<Json<'_>, Malformed> {
    let walk = Walk { limits, values: Cell::new(0), malformed: Cell::new(None) };
    let mut input = serde_json::Deserializer::from_str(text);
    Node { walk: &walk, depth: 0 }
        .deserialize(&mut input)
        .and_then(|value| input.end().map(|()| value))
        .map_err(|_| walk.malformed.get().unwrap_or(Malformed::NotJson))
}

/// Parses a document that is one object, and passes each member to `take`. The error is `None` if the document is not a JSON
/// object.
pub(super) fn members<'a>(
    text: &'a str,
    limits: JsonLimits,
    take: &mut dyn FnMut(&str, Json<'a>),
) -> Result<(), Option<Malformed>> {
    let walk = Walk { limits, values: Cell::new(1), malformed: Cell::new(None) };
    let mut input = serde_json::Deserializer::from_str(text);
    input
        .deserialize_map(Members { node: Node { walk: &walk, depth: 0 }, take })
        .and_then(|()| input.end())
        .map_err(|_| walk.malformed.get())
}

/// The state of parsing one document.
struct Walk {
    limits: JsonLimits,
    /// The number of values so far.
    values: Cell<u32>,
    /// The reason if this module rejected the document, and not the parser.
    malformed: Cell<Option<Malformed>>,
}

impl Walk {
    fn reject<E: serde::de::Error>(&self, malformed: Malformed) -> E {
        self.malformed.set(Some(malformed));
        E::custom("")
    }
}

/// Visits one value at a depth.
#[derive(Clone, Copy)]
struct Node<'w> {
    walk: &'w Walk,
    depth: u8,
}

impl<'w> Node<'w> {
    fn descend<E: serde::de::Error>(self) -> Result<Node<'w>, E> {
        if self.depth >= self.walk.limits.depth {
            return Err(self.walk.reject(Malformed::TooDeep));
        }
        Ok(Node { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Json<'de>, D::Error> {
        let count = self.walk.values.get() + 1;
        if count > self.walk.limits.values {
            return Err(self.walk.reject(Malformed::TooManyMembers));
        }
        self.walk.values.set(count);
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(u64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Json<'de>, A::Error> {
        let inner = self.descend()?;
        let mut elements = Vec::new();
        while let Some(element) = input.next_element_seed(inner)? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Json<'de>, A::Error> {
        let inner = self.descend()?;
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut more = HashSet::new();
        while let Some(name) = input.next_key_seed(Name)? {
            let known = members.iter().take(ON_STACK).any(|(known, _)| *known == name);
            if known || (members.len() >= ON_STACK && !more.insert(name.clone())) {
                return Err(self.walk.reject(Malformed::DuplicateMember));
            }
            if members.len() >= usize::from(self.walk.limits.members) {
                return Err(self.walk.reject(Malformed::TooManyMembers));
            }
            members.push((name, input.next_value_seed(inner)?));
        }
        Ok(Json::Object(Object(members)))
    }
}

/// Visits the outermost object of [`Object::walk`].
struct Members<'w, 'f, 'a> {
    node: Node<'w>,
    take: &'f mut dyn FnMut(&str, Json<'a>),
}

/// The number of members whose names are compared one by one, without allocating. Further names are found by hash, so that the
/// cost per member does not grow with the number of members.
const ON_STACK: usize = 16;

impl<'a> Visitor<'a> for Members<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut input: A) -> Result<(), A::Error> {
        let Self { node, take } = self;
        let inner = node.descend()?;
        let mut first: [Cow<'a, str>; ON_STACK] = [const { Cow::Borrowed("") }; ON_STACK];
        let mut more: HashSet<Cow<'a, str>> = HashSet::new();
        let mut count = 0;
        while let Some(name) = input.next_key_seed(Name)? {
            let known = first.get(..count.min(ON_STACK)).unwrap_or_default();
            if known.contains(&name) || more.contains(&name) {
                return Err(node.walk.reject(Malformed::DuplicateMember));
            }
            if count >= usize::from(node.walk.limits.members) {
                return Err(node.walk.reject(Malformed::TooManyMembers));
            }
            take(&name, input.next_value_seed(inner)?);
            match first.get_mut(count) {
                Some(slot) => *slot = name,
                None => _ = more.insert(name),
            }
            count += 1;
        }
        Ok(())
    }
}

/// Visits the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
