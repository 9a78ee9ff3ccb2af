//! `poplayer completions` and `poplayer man`: what is generated from the command line's own description.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::Passed;
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the manual page, or writes one for each command.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The folder to write all pages to
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(arguments: &CompletionsArguments, output: &Output) -> Passed {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "poplayer", &mut script);
    output.bytes(&script);
    true
}

pub(crate) fn man(arguments: &ManArguments, output: &Output) -> Result<Passed, Failure> {
    let command = Arguments::command();
    match &arguments.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page).map_err(|error| Failure::failed(error.to_string()))?;
            output.bytes(&page);
        }
        Some(folder) => clap_mangen::generate_to(command, folder)
            .map_err(|error| Failure::input(format!("cannot write to {}: {error}", folder.display())))?,
    }
    Ok(true)
}
