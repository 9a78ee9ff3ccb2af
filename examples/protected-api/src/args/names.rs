//! Options whose values are names.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tower_pop::UnknownName;

/// Parses an option by its name. `--help` lists the names.
pub(super) fn by_name<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}
