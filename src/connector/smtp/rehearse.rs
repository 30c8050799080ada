//! A dialogue with whoever is on the other end of a wire, with a message that reaches nobody. It is how a server's replies are
//! tried without a server. It must not know what is right.

use std::fmt;
use std::sync::Arc;

use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::Dialogue;
use super::message::Letter;
use super::wire::{Guard, Tally};
use super::{Failure, Outcome, Phase, Submission};
use crate::connector::auth::Account;
use crate::connector::net::Server;
use crate::secret::Secret;

/// Greets, signs in as `account` at `server`, and hands `submission` over.
pub async fn rehearse(
    wire: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug + 'static,
    (server, account, secret): (&Server, &Account, &Secret),
    submission: &Submission,
) -> Outcome {
    let letter = match Letter::new(submission) {
        Ok(letter) => letter,
        Err(error) => return Failure::new(Phase::Check, error).into(),
    };
    let tally = Arc::new(Tally::default());
    let guard = Guard::new(Box::new(wire), Arc::clone(&tally));
    let dialogue = async {
        let hello = ClientId::Ipv4([127, 0, 0, 1].into());
        let mut dialogue = Dialogue::greet(guard, tally, hello).await?;
        dialogue.sign_in(server, account, secret).await?;
        Ok(dialogue)
    };
    match dialogue.await {
        Ok(dialogue) => dialogue.submit(&letter, submission.partial).await,
        Err(failure) => Failure::into(failure),
    }
}
