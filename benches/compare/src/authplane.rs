//! `authplane-sdk`: a function of token and proof, which the application reads from the header fields.

use authplane_sdk::{AuthplaneResource, DpopRequestContext, FetchSettings, InboundDPoPOptions, ResourceOptions};
use http::header::AUTHORIZATION;

use crate::contender::{Contender, Setup};
use crate::scene::{ORIGIN, Request, SCOPE, Scene};

pub(crate) struct Authplane(AuthplaneResource);

/// Its own in-memory replay store comes with the options.
pub(crate) async fn contender(scene: &Scene) -> Setup<Authplane> {
    let options = ResourceOptions::default().with_inbound_dpop(InboundDPoPOptions::required());
    let (settings, scopes) = (FetchSettings::from_dev_mode(true), [SCOPE.to_owned()]);
    Ok(Authplane(AuthplaneResource::create_with_options(scene.issuer(), ORIGIN, &scopes, settings, options).await?))
}

impl Contender for Authplane {
    async fn admits(&self, request: Request) -> bool {
        let fields = request.headers();
        let credentials = fields.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = credentials.and_then(|credentials| credentials.strip_prefix("DPoP ")) else {
            return false;
        };
        let proofs = fields.get_all("dpop").iter().filter_map(|value| value.to_str().ok());
        let url = format!("{ORIGIN}{}", request.uri().path());
        let Ok(context) = DpopRequestContext::from_header_values(request.method().as_str(), &url, proofs, None) else {
            return false;
        };
        self.0.verify_with_context(token, &context).await.is_ok()
    }
}
