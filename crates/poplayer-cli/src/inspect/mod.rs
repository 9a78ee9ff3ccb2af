//! `poplayer inspect`: why a request is rejected.
//!
//! 1. [`request`]: the request, from header lines or flags.
//! 2. [`resource`]: a configuration of `tower-pop` with a clock that stands still at `--at`.
//! 3. [`verdict`]: the verdict of `tower-pop`. There is no second verifier. [`checks`] says which checks a rejected request
//!    has passed, and the checks of a DPoP proof that do not depend on each other run all, with `pop-core`.
//! 4. [`report`]: each check with the [`values`] that it compares.

mod arguments;
mod checks;
mod report;
mod request;
mod resource;
pub(crate) mod time;
mod values;
mod verdict;

pub(crate) use self::arguments::InspectArguments;
pub(crate) use self::checks::check_of;
use self::request::Inspected;
use self::resource::Resource;
use self::values::Values;
use crate::Passed;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(arguments: InspectArguments, output: &Output) -> Result<Passed, Failure> {
    let request = Inspected::read(&arguments)?;
    let now = arguments.at.unwrap_or_else(time::now);
    let resource = Resource::new(&arguments, &request, now);
    let server = &arguments.server;
    let verdict = verdict::verdict(&resource, &request, server.mode, server.require_signature, now).await?;
    report::print(&verdict, &Values::new(&request, &resource, now), output);
    Ok(verdict.rejection.is_none())
}
