//! `liaison auth`: signing in, how sign-ins stand, and signing out.

use super::Installation;
use super::output::Answer;

mod login;
mod logout;
mod parts;
mod status;

pub use login::{How, Prompt, SignedIn, keep_password, sign_in};
pub use logout::forget_all;
pub use parts::{Need, Shared, shared};
pub use status::warnings;

/// Sign in, sign out, and see how sign-ins stand
///
/// One sign-in serves everything of one user at one provider: the mailbox and the CRM, where both are with it. Refresh tokens
/// and passwords are kept in the keyring of the desktop, access tokens only in memory.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Auth {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  liaison auth login                 whatever needs a sign-in or a password
  liaison auth login contoso         one organisation
  liaison auth login mailbox         the servers of the mailbox
  liaison auth login --device        with a browser on another machine
  liaison auth status

PART: the name of an organisation, `crm` (the one that is synced), `mailbox`,
or one of email, submission, contact, appointment, task.";

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Sign in, or store a password in the keyring
    Login(login::Login),
    /// How each sign-in stands; asks nobody but the keyring
    Status(status::Status),
    /// Forget a sign-in or a password; the provider is told, where it listens
    Logout(logout::Logout),
}

impl Auth {
    /// # Errors
    /// When the configuration cannot be used, the keyring is out of reach, or the sign-in did not succeed.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        match self.what {
            What::Login(login) => login.run(here).await,
            What::Status(status) => status.run(here).await,
            What::Logout(logout) => logout.run(here).await,
        }
    }
}
