//! `poplayer call`: a request with a token and a proof of possession.

mod arguments;
mod draft;
mod exchange;
mod show;

pub(crate) use self::arguments::{CallArguments, seconds};
use self::exchange::Exchange;
use self::show::Show;
use crate::Passed;
use crate::failure::Failure;
use crate::http_client::HttpClient;
use crate::output::{Output, printable};
use crate::signed::Prover;
use crate::token::Source;

pub(crate) async fn run(arguments: CallArguments, output: &Output) -> Result<Passed, Failure> {
    let draft = draft::of(&arguments)?;
    let show = Show { verbose: arguments.verbose };
    let http = HttpClient::new(&arguments.token, &arguments.url, arguments.max_time)?;
    let source = Source::find(&arguments.token, &arguments.url, &http, arguments.max_time).await?;
    show.notes(&source.notes);
    let token = source.token().await?;
    show.token(&token);
    let prover = Prover::new(token, &draft.url, arguments.nonce.as_deref())?;
    let mut exchange = Exchange::new(draft, prover);
    if arguments.print_headers {
        let lines = exchange.proving_lines()?;
        if output.is_json() {
            output.document(
                &lines
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            );
        } else {
            lines.iter().for_each(|(name, value)| output.line(format!("{name}: {value}")));
        }
        return Ok(true);
    }
    let answer = exchange.send(&http, show).await?;
    let passed = !(arguments.fail && answer.status.as_u16() >= 400);
    Show::missing_scopes(&answer);
    if let Some(path) = &arguments.output {
        let written = std::fs::write(path, &answer.content);
        written.map_err(|error| Failure::input(format!("cannot write {}: {error}", path.display())))?;
    }
    if output.is_json() {
        output.document(&answer.to_json(exchange.attempts()));
    } else {
        if arguments.include {
            answer.head_lines().iter().for_each(|line| output.line(printable(line)));
            output.line("");
        }
        if arguments.output.is_none() {
            output.bytes(&answer.content);
        }
    }
    Ok(passed)
}
