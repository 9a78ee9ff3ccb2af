//! The signature algorithms that are accepted.

use clap::Args;
use tower_pop::{Algorithm, PopConfigBuilder};

use super::names::by_name;

#[derive(Debug, Args)]
pub(crate) struct AlgorithmArgs {
    /// The algorithms of proofs, separated by commas [default: those of the preset].
    #[arg(long, env = "POP_PROOF_ALGORITHMS", value_delimiter = ',', value_name = "ALG", value_parser = by_name::<Algorithm>(names()))]
    proof_algorithms: Vec<Algorithm>,
    /// The algorithms of access tokens, separated by commas [default: those of the preset].
    #[arg(long, env = "POP_TOKEN_ALGORITHMS", value_delimiter = ',', value_name = "ALG", value_parser = by_name::<Algorithm>(names()))]
    token_algorithms: Vec<Algorithm>,
}

fn names() -> impl Iterator<Item = &'static str> {
    Algorithm::compiled_in().map(Algorithm::name)
}

impl AlgorithmArgs {
    pub(crate) fn add_to(&self, mut builder: PopConfigBuilder) -> PopConfigBuilder {
        if !self.proof_algorithms.is_empty() {
            builder = builder.proof_algorithms(self.proof_algorithms.iter().copied());
        }
        if !self.token_algorithms.is_empty() {
            builder = builder.token_algorithms(self.token_algorithms.iter().copied());
        }
        builder
    }
}
