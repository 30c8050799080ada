//! A session with whoever is on the other end of a wire: all that is ever asked of a server, one after the other, with nothing
//! kept. It is how a server's answers are tried without a server. It must not know what is right.

use super::Options;
use super::session::Session;
use crate::connector::Result;
use crate::connector::net::Stream;
use crate::secret::Secret;

/// What a server said of its messages.
#[derive(Debug)]
pub struct Heard {
    /// Number and unique id, in the server's order.
    pub names: Vec<(u32, String)>,
    /// How many sizes there were, or why there were none.
    pub sizes: Result<usize>,
    /// The heads of the first three messages, or why there are none.
    pub heads: Result<Vec<Result<Vec<u8>>>>,
    /// The first message, or why there is none.
    pub message: Result<Vec<u8>>,
}

/// Greets, signs in, lists, and reads the first messages.
///
/// # Errors
/// When it did not come to a list.
pub async fn rehearse(options: &Options, wire: Stream, secret: &Secret) -> Result<Heard> {
    let mut session = Session::greeted(wire).await?;
    session.sign_in(&options.server, &options.account, secret).await?;
    let names = session.uidl().await?;
    let sizes = session.sizes().await.map(|sizes| sizes.len());
    let numbers: Vec<u32> = names.iter().take(3).map(|(number, _)| *number).collect();
    let heads = session.heads(&numbers).await;
    let first = numbers.first().copied().unwrap_or(1);
    let message = match session.ask_for(&[first]).await {
        Ok(()) => session.message(first).await.and_then(|message| message),
        Err(error) => Err(error),
    };
    session.quit().await;
    Ok(Heard { names, sizes, heads, message })
}
