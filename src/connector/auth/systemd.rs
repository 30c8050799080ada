//! A secret that systemd hands to a service as a file: `LoadCredentialEncrypted=NAME` in its unit.
//! <https://systemd.io/CREDENTIALS/>

use std::path::{Component, Path};

use tokio::io::AsyncReadExt;

use super::{Kind, SIZE_LIMIT};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The secret of this name; `folder` is `$CREDENTIALS_DIRECTORY`, which only a service has.
pub(super) async fn read(kind: Kind, name: &str, folder: Option<&Path>) -> Result<Secret> {
    let failed = |what: &str| {
        Error::new(ErrorKind::Unauthorised, format!("the systemd credential `{name}` {what}")).hint(
            format!(
                "give it to the service: `LoadCredentialEncrypted={name}` in its unit, made by \
                 `systemd-creds encrypt`; outside of the service there is none"
            ),
        )
    };
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(failed("has a name that is none"));
    }
    let folder = folder.ok_or_else(|| failed("is not there: this process got no credentials"))?;
    let mut text = String::new();
    let file = tokio::fs::File::open(folder.join(name))
        .await
        .map_err(|error| failed("cannot be read").caused_by(error))?;
    file.take(SIZE_LIMIT)
        .read_to_string(&mut text)
        .await
        .map_err(|error| failed("holds no text").caused_by(error))?;
    kind.find_in(&text).ok_or_else(|| failed(&format!("holds no {}", kind.word())))
}
