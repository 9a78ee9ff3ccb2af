//! Serving the endpoints on listeners.

use crate::error::StartError;
use crate::listeners::Listeners;
use crate::server::AuthServer;

impl AuthServer {
    /// Serves requests until the future is dropped, which also closes all connections.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`] when the listener is not on loopback, and [`StartError::LocalAddress`]. Nothing is
    /// served then.
    pub async fn serve(&self, listeners: impl Into<Listeners>) -> Result<(), StartError> {
        let listeners = listeners.into();
        listeners.check_loopback()?;
        tracing::warn!(
            issuer = self.issuer(),
            "development authorization server: approves every request, never for production"
        );
        listeners.serve(self.router()).await;
        Ok(())
    }
}
