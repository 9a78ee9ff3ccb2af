//! What the program says when it cannot go on: one line, and the exit status.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};

use crate::output::printable;

/// Why the program stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The input cannot be used: a flag, a URL, a token or a file.
    #[error("{0}")]
    Input(String),
    /// Something failed that does not depend on the input alone, such as the network.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// Prints the failure, and returns the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        print_error(&self.to_string());
        ExitCode::from(match self {
            Self::Input(_) => 2,
            Self::Failed(_) => 1,
        })
    }
}

/// Prints what is wrong with the command line on one line, or the help that was asked for.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // A closed pipe is no reason to fail.
        let _ = error.print();
        return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    // The text of clap shows the value, which may have a password.
    if let (ErrorKind::ValueValidation, Some(argument), Some(source)) =
        (error.kind(), error.get(ContextKind::InvalidArg), error.source())
    {
        print_error(&format!("the value of {argument} cannot be used: {source}"));
        return ExitCode::from(2);
    }
    let text = error.to_string();
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let line = lines.collect::<Vec<_>>().join("; ");
    print_error(line.strip_prefix("error: ").unwrap_or(&line));
    ExitCode::from(2)
}

fn print_error(message: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", printable(message));
}

/// Shows an error with its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
