//! `[mailbox]` and the folders in it.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::server::Known;
use super::{Paths, server};
use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::{Classes, Folder, Login, Mailbox, Zone};
use crate::config::tree::{Place, Value};
use crate::model::{Address, Class};

pub(super) fn read(mut section: Section<'_>, paths: &Paths<'_>) -> Result<Mailbox> {
    let (text, place) = section.required("address")?;
    let address = address(&section, "address", text, place)?;
    let mut aliases = std::collections::BTreeSet::new();
    for node in section.list("aliases")? {
        let Value::Text(text) = &node.value else {
            let kind = node.value.kind();
            return Err(section.reading.error(node.place, format!("an alias is text, not {kind}")));
        };
        aliases.insert(self::address(&section, "aliases", text, node.place)?);
    }
    let zone = zone(&mut section)?;
    let mut found: Vec<(&str, Folder)> = Vec::new();
    // Who signs in for e-mail does so everywhere, unless something else is said.
    let mut login: Option<Login> = None;
    let mut folder = |key: &'static str, kinds: &[(&str, Kind)]| -> Result<Option<Folder>> {
        let Some(inner) = section.section(key)? else { return Ok(None) };
        let place = inner.place;
        let folder = folder(
            inner,
            kinds,
            paths,
            Known { login: login.as_ref(), address: address.as_str() },
        )?;
        login = login.take().or_else(|| folder.login().cloned());
        // A calendar may hold appointments and tasks side by side (RFC 4791 §5.2.3); nothing else mixes.
        let mixes = |other: &str| (other, key) == ("appointments", "tasks");
        let clash = found.iter().find(|(other, it)| it.is_where(&folder) && !mixes(other));
        if let (Some((other, _)), Some(place)) = (clash, place) {
            let message = format!("`{other}` and `{key}` share one folder");
            return Err(section
                .reading
                .error(place, message)
                .hint("give each a folder of its own"));
        }
        found.push((key, folder.clone()));
        Ok(Some(folder))
    };
    let folders = Classes {
        email: folder("email", EMAIL)?,
        contact: folder("contacts", CONTACTS)?,
        appointment: folder("appointments", CALENDAR)?,
        task: folder("tasks", CALENDAR)?,
    };
    let submission = match section.section("submission")? {
        Some(inner) => {
            let known = Known { login: login.as_ref(), address: address.as_str() };
            Some(server::mail(inner, server::SUBMISSION, paths, known)?)
        }
        None => None,
    };
    if Class::ALL.into_iter().all(|class| folders.of(class).is_none()) {
        let error = section.error("the mailbox has no folders");
        return Err(error.hint(
            "add one of [mailbox.email], [mailbox.contacts], [mailbox.appointments], [mailbox.tasks]",
        ));
    }
    section.finish()?;
    Ok(Mailbox { address, aliases, zone, folders, submission })
}

fn address(section: &Section<'_>, key: &str, text: &str, place: Place) -> Result<Address> {
    let bare = |text: &str| {
        let whole = !text.contains(|sign: char| sign.is_whitespace() || sign.is_control());
        let parts = text.rsplit_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !text.contains(['<', '>', ','])
        });
        whole && parts && !text.starts_with("mailto:")
    };
    Address::parse(text).filter(|address| bare(address.as_str())).ok_or_else(|| {
        let error = section.reading.error(place, format!("`{key}`: this is no e-mail address"));
        error.hint("write it like this: anna@example.org")
    })
}

fn zone(section: &mut Section<'_>) -> Result<Zone> {
    let (name, place) = section.required("zone")?;
    if name == "system" {
        return TimeZone::try_system().map(Zone::System).map_err(|_| {
            let error = section.reading.error(place, "the time zone of the system is not known");
            error.hint("name it: zone = \"Europe/Berlin\" in [mailbox]")
        });
    }
    TimeZone::get(name).map(Zone::Named).map_err(|_| {
        let error =
            section.reading.error(place, format!("`zone`: no time zone is called `{name}`"));
        error.hint("use an IANA name, like \"Europe/Berlin\", or \"system\"")
    })
}

/// What can be written as `kind`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Maildir,
    Vdir,
    Imap,
    Pop3,
    Dav,
}

const EMAIL: &[(&str, Kind)] =
    &[("imap", Kind::Imap), ("pop3", Kind::Pop3), ("maildir", Kind::Maildir)];
const CONTACTS: &[(&str, Kind)] = &[("carddav", Kind::Dav), ("vdir", Kind::Vdir)];
const CALENDAR: &[(&str, Kind)] = &[("caldav", Kind::Dav), ("vdir", Kind::Vdir)];

fn folder(
    mut section: Section<'_>,
    kinds: &[(&str, Kind)],
    paths: &Paths<'_>,
    known: Known<'_>,
) -> Result<Folder> {
    let make: fn(PathBuf) -> Folder = match section.word("kind", kinds)? {
        Kind::Maildir => Folder::Maildir,
        Kind::Vdir => Folder::Vdir,
        Kind::Imap => return server::mail(section, server::IMAP, paths, known).map(Folder::Imap),
        Kind::Pop3 => return server::mail(section, server::POP3, paths, known).map(Folder::Pop3),
        Kind::Dav => return server::collection(section, paths, known).map(Folder::Dav),
    };
    let (path, place) = section.required("path")?;
    let path = paths
        .resolve(path)
        .map_err(|reason| section.reading.error(place, format!("`path`: {reason}")))?;
    section.finish()?;
    Ok(make(path))
}
