//! What is measured, and what each contender must do before it is.

use std::error::Error;
use std::pin::Pin;
use std::time::Instant;

use crate::scene::{Request, Scene};

/// One crate, set up as its documentation says.
pub(crate) trait Contender {
    /// Whether the request is let through to the handler; where there is no handler, whether it is found good.
    async fn admits(&self, request: Request) -> bool;
}

/// The claims, where their type is the application's: as few as can be of use.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Subject {
    #[allow(dead_code, reason = "read by real handlers")]
    sub: String,
}

/// Made ready, or why it cannot be.
pub(crate) type Setup<C> = Result<C, Box<dyn Error>>;

/// What a contender verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pop,
    Bearer,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pop => "PoP",
            Self::Bearer => "Bearer",
        }
    }
}

/// How a contender is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// As a layer of an axum router with one route.
    Router,
    /// Without a framework: a function, and for `PopLayer` its tower service.
    Bare,
}

impl Call {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Router => "axum router",
            Self::Bare => "no framework",
        }
    }
}

/// Seconds for a batch, and which of its requests were let through.
type Batch = (f64, Vec<bool>);

/// A contender of any type. Boxes are paid per batch, not per request.
trait AnyContender {
    fn batch(&self, requests: Vec<Request>) -> Pin<Box<dyn Future<Output = Batch> + '_>>;
}

impl<C: Contender> AnyContender for C {
    fn batch(&self, requests: Vec<Request>) -> Pin<Box<dyn Future<Output = Batch> + '_>> {
        Box::pin(tokio::task::unconstrained(async move {
            let mut admitted = Vec::with_capacity(requests.len());
            let start = Instant::now();
            for request in requests {
                admitted.push(self.admits(request).await);
            }
            (start.elapsed().as_secs_f64(), admitted)
        }))
    }
}

/// A contender under its name and version.
pub(crate) struct Entry<'s> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) call: Call,
    pub(crate) scene: &'s Scene,
    /// What it lets through that it should not.
    pub(crate) lacks: Vec<&'static str>,
    /// Per request, one value a round.
    pub(crate) seconds: Vec<f64>,
    contender: Box<dyn AnyContender>,
}

impl<'s> Entry<'s> {
    /// After the sanity check.
    ///
    /// # Errors
    /// Why it cannot be measured.
    pub(crate) async fn new<C: Contender + 'static>(
        (name, kind, call): (&'static str, Kind, Call),
        contender: Setup<C>,
        scene: &'s Scene,
    ) -> Result<Self, (&'static str, String)> {
        let contender: Box<dyn AnyContender> = Box::new(contender.map_err(|error| (name, error.to_string()))?);
        let mut entry = Self { name, kind, call, scene, lacks: Vec::new(), seconds: Vec::new(), contender };
        entry.check().await.map_err(|why| (name, why))?;
        Ok(entry)
    }

    async fn check(&mut self) -> Result<(), String> {
        let scene = self.scene;
        let fresh = scene.proofs(1).remove(0);
        let (good, bad) = match self.kind {
            Kind::Pop => (
                scene.with_proof(&fresh),
                vec![
                    ("a proof of another key", scene.with_proof(&scene.proof_of_another_key())),
                    ("a replayed proof", scene.with_proof(&fresh)),
                ],
            ),
            Kind::Bearer => {
                (scene.bearer(), vec![("a token with a wrong signature", scene.bearer_with_wrong_signature())])
            }
        };
        if !self.admits(good).await {
            return Err("refuses a good request".to_owned());
        }
        for (what, request) in bad {
            if self.admits(request).await {
                self.lacks.push(what);
            }
        }
        Ok(())
    }

    async fn admits(&self, request: Request) -> bool {
        self.contender.batch(vec![request]).await.1 == [true]
    }

    /// Seconds per request, for a batch of one request for each of these proofs of the scene.
    ///
    /// # Panics
    /// When a request is refused.
    pub(crate) async fn round(&self, proofs: &[String]) -> f64 {
        let count = proofs.len();
        let request = |proof: &String| match self.kind {
            Kind::Pop => self.scene.with_proof(proof),
            Kind::Bearer => self.scene.bearer(),
        };
        let requests = proofs.iter().map(request).collect();
        let (seconds, admitted) = self.contender.batch(requests).await;
        let refused = admitted.iter().filter(|admitted| !**admitted).count();
        assert_eq!(refused, 0, "{}: good requests refused", self.name);
        seconds / f64::from(u32::try_from(count).expect("a small batch"))
    }
}
