//! Signing in with a browser on another machine: a code is shown here and typed there (RFC 8628).

use std::sync::Arc;
use std::time::Duration;

use oauth2::StandardDeviceAuthorizationResponse;

use super::session::Session;
use super::wire::Trouble;
use super::{Wanted, sign_in_needed};
use crate::connector::{Error, ErrorKind, Result};

/// The longest that anybody is waited for, whatever the provider allows.
const TIME_LIMIT: Duration = Duration::from_mins(30);

/// A sign-in that waits for its code to be typed in.
#[derive(Debug)]
pub struct Device {
    session: Arc<Session>,
    wanted: Vec<Wanted>,
    details: StandardDeviceAuthorizationResponse,
}

impl Session {
    /// Begins a sign-in for all of this, and says what must be typed where.
    ///
    /// # Errors
    /// When the provider cannot be asked, or does not know this way.
    pub async fn device(self: &Arc<Self>, wanted: Vec<Wanted>) -> Result<Device> {
        let asked = self.wire().await?.device(&wanted).await;
        let details = asked.map_err(|trouble| self.plainly(trouble))?;
        Ok(Device { session: Arc::clone(self), wanted, details })
    }

    /// Whether the provider knows this way.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn knows_devices(&self) -> Result<bool> {
        Ok(self.wire().await?.endpoints.device.is_some())
    }

    fn plainly(&self, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Refused(refusal) => self.refused(&refusal),
            Trouble::Away(error) => error,
        }
    }
}

impl Device {
    /// Where the person goes.
    pub fn uri(&self) -> &str {
        self.details.verification_uri().as_str()
    }

    /// What the person types there.
    pub fn code(&self) -> &str {
        self.details.user_code().secret()
    }

    /// An address that brings the code along, if the provider has such.
    pub fn complete_uri(&self) -> Option<&str> {
        self.details.verification_uri_complete().map(|uri| uri.secret().as_str())
    }

    /// For how long the code is good.
    pub fn lifetime(&self) -> Duration {
        self.details.expires_in()
    }

    /// Waits until the code was typed, and keeps the sign-in.
    ///
    /// # Errors
    /// As for [`super::Browser::finish`].
    pub async fn finish(self) -> Result<()> {
        let Some(first) = self.wanted.first() else {
            return Err(Error::new(ErrorKind::Unsupported, "nothing wants this sign-in"));
        };
        let wire = self.session.wire().await?;
        let given = tokio::time::timeout(TIME_LIMIT, wire.typed(&self.details, first)).await;
        let given = given.map_err(|_| {
            sign_in_needed(&self.session.identity, "was not finished in half an hour")
        })?;
        let tokens = given.map_err(|trouble| self.session.plainly(trouble))?;
        self.session.begin(first, tokens).await
    }
}
