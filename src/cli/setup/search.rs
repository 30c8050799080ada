//! The address, and what can be found out from it.

use super::answers::is_yes;
use super::interview::{Interview, Question};
use super::{Wizard, file, remark};
use crate::cli::output::{Page, count};
use crate::connector::discover::{self, Candidate, Found, Person, Protocol, World};
use crate::connector::http;

/// Asks for the address.
pub(super) fn address(interview: &mut Interview) -> anyhow::Result<()> {
    interview.text(
        Question {
            name: "address",
            asks: "Your e-mail address:",
            help: "the one that the CRM knows you by, like anna@example.org",
            usual: None,
        },
        |answer| Person::parse(answer).map(drop).map_err(|error| error.message),
    )?;
    // Nobody is asked for more of them: a person who has some says so, and the CRM's shows later.
    if let Some(aliases) = interview.given("aliases").or(interview.present("aliases")) {
        let aliases = aliases.to_owned();
        interview.answers.set("aliases", aliases);
    }
    Ok(())
}

/// Looks for servers, where that is wanted and there is something to find.
pub(super) async fn servers(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let is_known = ["email", "contacts", "appointments", "tasks"].iter().all(|name| {
        wizard.interview.given(name).is_some() || wizard.interview.present(name).is_some()
    });
    let how = wizard.interview.given("discover").map(str::to_owned);
    let mut world = World::default();
    match how.as_deref().map(|how| (how, is_yes(how))) {
        Some((_, Some(false))) => return Ok(()),
        Some((_, Some(true))) => {}
        Some((url, None)) => {
            http::server_url(url)?;
            world = World::described_at(url);
        }
        None if is_known => return Ok(()),
        None => {}
    }
    let address = wizard.interview.answers.get("address").unwrap_or_default().to_owned();
    let mut page = Page::default();
    page.line(format!(
        "Looking for the servers of {address}, for up to {} s …",
        world.limit.as_secs()
    ));
    wizard.interview.say(&page)?;
    match discover::discover(&address, &world).await {
        Ok(found) => wizard.found = found,
        Err(error) => {
            return Ok(remark(
                &wizard.interview,
                &format!("nothing was found: {}", error.message),
            )?);
        }
    }
    wizard.interview.say(&tell(&wizard.found))?;
    Ok(())
}

/// What was found, and where nothing could be.
fn tell(found: &Found) -> Page {
    let mut page = Page::default();
    if let Some(provider) = found.provider {
        page.line(format!("Your provider is {}.", provider.name));
        if let Some(advice) = provider.advice {
            page.wrapped("! ", advice);
        }
    }
    for (protocol, word) in [
        (Protocol::Imap, "messages (IMAP)"),
        (Protocol::Pop3, "messages (POP3)"),
        (Protocol::Submission, "sending (SMTP)"),
        (Protocol::CardDav, "contacts (CardDAV)"),
        (Protocol::CalDav, "calendars (CalDAV)"),
    ] {
        if let Some(best) = found.of(protocol).next() {
            page.wrapped("✓ ", &format!("{word}: {}", label(best)));
        }
    }
    if found.candidates.is_empty() {
        page.line("Nothing was found: you will be asked for your servers.");
    }
    let silent = found.asked.iter().filter(|asked| asked.told.is_err()).count();
    let asked = count(found.asked.len(), "place");
    page.wrapped(
        "",
        &format!("({asked} asked, {silent} without an answer; no password was used.)"),
    );
    page
}

/// A candidate in words.
pub(super) fn label(candidate: &Candidate) -> String {
    let Candidate { service, source, proven } = candidate;
    let doubt = if *proven { "" } else { ", which nothing proves" };
    format!("{}, {}{doubt}", service.place, source.as_str())
}

/// Whether an address is one of the person's own.
pub(super) fn is_own(interview: &Interview, address: &str) -> bool {
    let own = interview.answers.get("address").into_iter();
    let own = own.chain(interview.answers.get("aliases").into_iter().flat_map(file::list));
    own.into_iter().any(|one| one.eq_ignore_ascii_case(address))
}
