//! Compiles and runs the snippets of README.md and docs/*.md as doctests. They belong to this crate because it sees all
//! others: the layer, the client and the server.
//!
//! Only rustdoc's test collection reads the pages (`cfg(doctest)`), so that the packaged crate does not need them.

#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc = include_str!("../../../docs/authorization-server.md")]
struct AuthorizationServer;

#[doc = include_str!("../../../docs/browsers-and-cors.md")]
struct BrowsersAndCors;

#[doc = include_str!("../../../docs/choosing-a-proof.md")]
struct ChoosingAProof;

#[doc = include_str!("../../../docs/client.md")]
struct Client;

#[doc = include_str!("../../../docs/content.md")]
struct Content;

#[doc = include_str!("../../../docs/deployment.md")]
struct Deployment;

#[doc = include_str!("../../../docs/errors.md")]
struct Errors;

#[doc = include_str!("../../../docs/getting-started.md")]
struct GettingStarted;

#[doc = include_str!("../../../docs/grpc.md")]
struct Grpc;

#[doc = include_str!("../../../docs/introspection.md")]
struct Introspection;

#[doc = include_str!("../../../docs/issuer-profiles.md")]
struct IssuerProfiles;

#[doc = include_str!("../../../docs/issuers.md")]
struct Issuers;

#[doc = include_str!("../../../docs/mcp.md")]
struct Mcp;

#[doc = include_str!("../../../docs/message-signatures.md")]
struct MessageSignatures;

#[doc = include_str!("../../../docs/migrating-from-bearer.md")]
struct MigratingFromBearer;

#[doc = include_str!("../../../docs/operations.md")]
struct Operations;

#[cfg(feature = "ml-dsa")]
#[doc = include_str!("../../../docs/post-quantum.md")]
struct PostQuantum;

#[doc = include_str!("../../../docs/problems.md")]
struct Problems;

#[doc = include_str!("../../../docs/replicas.md")]
struct Replicas;

#[doc = include_str!("../../../docs/scaling.md")]
struct Scaling;

#[doc = include_str!("../../../docs/scopes-and-step-up.md")]
struct ScopesAndStepUp;

#[doc = include_str!("../../../docs/signed-requests.md")]
struct SignedRequests;

#[doc = include_str!("../../../docs/symmetric-keys.md")]
struct SymmetricKeys;

#[doc = include_str!("../../../docs/testing.md")]
struct Testing;

#[doc = include_str!("../../../docs/threat-model.md")]
struct ThreatModel;
