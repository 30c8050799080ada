//! Whom a contact or a lead may be made for, if the user wants that. Must not know who is in the CRM already.

use crate::model::Address;

/// What is made for people whom the CRM does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Create {
    #[default]
    Nothing,
    Contact,
    Lead,
}

impl Create {
    /// The logical name of the table; `None` where nothing is made.
    pub fn table(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Contact => Some("contact"),
            Self::Lead => Some("lead"),
        }
    }
}

/// Local parts that stand for a program. Compared without anything that is no letter.
const PROGRAMS: &[&str] = &[
    "noreply",
    "donotreply",
    "nereply",
    "mailerdaemon",
    "postmaster",
    "bounce",
    "bounces",
    "autoreply",
    "automailer",
    "mailer",
    "daemon",
    "newsletter",
    "notification",
    "notifications",
    "listserv",
    "majordomo",
    "mailman",
    "unsubscribe",
];

/// What stands behind the name of a mailing list in addresses that serve it (RFC 2142 §6 and Mailman).
const OF_LISTS: &[&str] = &[
    "-request",
    "-owner",
    "-admin",
    "-bounces",
    "-bounce",
    "-join",
    "-leave",
    "-subscribe",
    "-unsubscribe",
    "-confirm",
];

/// First parts of hosts that serve lists.
const LIST_HOSTS: &[&str] = &["lists", "list", "listserv", "groups", "mailman", "googlegroups"];

/// Whether a person may be behind an address, as far as it says: neither a program nor a mailing list.
pub fn may_be_a_person(address: &Address) -> bool {
    let Some((local, host)) = address.as_str().rsplit_once('@') else { return false };
    let plus = local.split_once('+').map_or(local, |(before, _)| before);
    let letters: String = plus.chars().filter(|c| c.is_alphanumeric()).collect();
    let program = PROGRAMS.contains(&letters.as_str())
        || letters.starts_with("noreply")
        || letters.ends_with("noreply")
        || letters.starts_with("donotreply")
        || letters.starts_with("bounces");
    let list = OF_LISTS.iter().any(|ending| plus.ends_with(ending))
        || plus.starts_with("owner-")
        || LIST_HOSTS.contains(&host.split('.').next().unwrap_or_default());
    // Encoded return paths (SRS, VERP) name somebody else.
    let encoded = local.contains('=') || local.starts_with("srs0") || local.starts_with("srs1");
    !(local.is_empty() || host.is_empty() || program || list || encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_lists_are_no_people() {
        for (address, person) in [
            ("ann@customer.example", true),
            ("Owner@shop.example", true),
            ("reply@shop.example", true),
            ("no-reply@shop.example", false),
            ("NoReply+17@shop.example", false),
            ("do_not_reply@shop.example", false),
            ("news-noreply@shop.example", false),
            ("MAILER-DAEMON@mx.example", false),
            ("dev-request@project.example", false),
            ("owner-dev@project.example", false),
            ("dev@lists.project.example", false),
            ("x@googlegroups.com", false),
            ("bounces+17-ann=a.example@mx.example", false),
            ("srs0=ab=cd=a.example=ann@mx.example", false),
            ("@mx.example", false),
            ("nobody", false),
        ] {
            let parsed = Address::parse(address).unwrap();
            assert_eq!(may_be_a_person(&parsed), person, "{address}");
        }
    }
}
