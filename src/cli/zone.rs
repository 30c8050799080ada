//! In which zone days are counted: the CRM counts the days of a series in the zone of its user's own settings, the mailbox may
//! say otherwise. No store, no wire.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::settings::Zone;
use crate::mapping::zone::{self, windows};

/// How far ahead two zones are compared: rules that change later are not known yet.
const AHEAD: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

/// The zone to count in.
#[derive(Debug, Clone)]
pub struct Choice {
    pub zone: TimeZone,
    /// One line for the user when CRM and mailbox do not live by the same clock.
    pub notice: Option<String>,
}

/// The zone that the configuration names or, where it leaves it to the system, that of the CRM user. `crm` is the Windows name
/// as the CRM tells it; one that nobody knows counts as not told.
pub fn choose(wanted: &Zone, crm: Option<&str>, now: Timestamp) -> Choice {
    let (Zone::System(own) | Zone::Named(own)) = wanted;
    let crm = crm.and_then(windows::iana).and_then(|name| TimeZone::get(name).ok());
    let Some(crm) = crm else { return Choice { zone: own.clone(), notice: None } };
    let differs = !same_clock(own, &crm, now);
    let (own_name, crm_name) = (zone::name(own), zone::name(&crm));
    match wanted {
        Zone::System(_) => {
            let notice = differs.then(|| {
                format!(
                    "days are counted in {crm_name}, as your personal options in the CRM say, and \
                     this machine is in {own_name} → if that is right, write `zone = \
                     \"{crm_name}\"` in `[mailbox]`, else change it in the CRM"
                )
            });
            Choice { zone: crm, notice }
        }
        Zone::Named(_) => {
            let notice = differs.then(|| {
                format!(
                    "days are counted in {own_name}, as `zone` in `[mailbox]` says, and the CRM \
                     counts in {crm_name}: single occurrences may be refused → set your time zone \
                     in the CRM's personal options, or take `zone` out"
                )
            });
            Choice { zone: own.clone(), notice }
        }
    }
}

/// Whether both show the same time from now on.
fn same_clock(one: &TimeZone, other: &TimeZone, now: Timestamp) -> bool {
    let end = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let changes = |zone: &TimeZone| -> Vec<Timestamp> {
        let changes = zone.following(now).map(|change| change.timestamp());
        changes.take_while(|at| *at <= end).collect()
    };
    let mut moments = vec![now];
    moments.extend(changes(one));
    moments.extend(changes(other));
    moments.into_iter().all(|at| one.to_offset(at) == other.to_offset(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn chosen(wanted: &Zone, crm: Option<&str>) -> (String, Option<String>) {
        let choice = choose(wanted, crm, "2026-01-15T12:00:00Z".parse().unwrap());
        (zone::name(&choice.zone), choice.notice)
    }

    #[test]
    fn the_crm_is_followed_unless_the_user_names_a_zone() {
        let system = Zone::System(zone("America/New_York"));
        let (used, notice) = chosen(&system, Some("W. Europe Standard Time"));
        assert_eq!(used, "Europe/Berlin");
        let notice = notice.unwrap();
        assert!(
            notice.contains("America/New_York") && notice.contains("Europe/Berlin"),
            "{notice}"
        );
        let named = Zone::Named(zone("America/New_York"));
        let (used, notice) = chosen(&named, Some("UTC"));
        assert_eq!(used, "America/New_York");
        assert!(notice.unwrap().contains("Etc/UTC"));
    }

    #[test]
    fn a_zone_that_is_not_told_or_not_known_changes_nothing() {
        for crm in [None, Some(""), Some("Customized Time Zone 1")] {
            for wanted in [Zone::System(zone("Asia/Tokyo")), Zone::Named(zone("Asia/Tokyo"))] {
                assert_eq!(chosen(&wanted, crm), ("Asia/Tokyo".to_owned(), None));
            }
        }
    }

    #[test]
    fn names_do_not_matter_and_rules_do() {
        let quiet = |own: &str, crm| chosen(&Zone::Named(zone(own)), Some(crm)).1.is_none();
        assert!(quiet("Europe/Vienna", "Central European Standard Time"));
        assert!(quiet("UTC", "UTC"));
        // Both are at UTC in January.
        assert!(!quiet("Europe/London", "UTC"));
        assert!(!quiet("America/Phoenix", "Mountain Standard Time"));
    }
}
