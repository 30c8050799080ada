//! The bodies of the requests (RFC 4791, RFC 6352, RFC 6578), as text: there are few, and they never change.

use quick_xml::escape::escape;
use reqwest::Url;

use crate::model::{Class, Uid};

/// What every body begins with.
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// The names and versions of all items.
pub(super) const LIST: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<propfind xmlns=\"DAV:\" xmlns:S=\"http://calendarserver.org/ns/\"><prop>",
    "<getetag/><getcontenttype/><resourcetype/><S:getctag/>",
    "</prop></propfind>"
);

/// What tells whether anything changed.
pub(super) const CTAG: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<propfind xmlns=\"DAV:\" xmlns:S=\"http://calendarserver.org/ns/\"><prop><S:getctag/></prop></propfind>"
);

/// What something is, and what may be done with it.
pub(super) const DESCRIBE: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<propfind xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" ",
    "xmlns:A=\"urn:ietf:params:xml:ns:carddav\" xmlns:S=\"http://calendarserver.org/ns/\"><prop>",
    "<resourcetype/><displayname/><current-user-principal/><current-user-privilege-set/>",
    "<supported-report-set/><sync-token/><S:getctag/><C:supported-calendar-component-set/>",
    "</prop></propfind>"
);

/// Where the calendars of a principal lie, and by which addresses it is invited.
pub(super) const CALENDAR_HOME: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<propfind xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><prop>",
    "<C:calendar-home-set/><C:calendar-user-address-set/></prop></propfind>"
);

/// Where the address books of a principal lie.
pub(super) const CONTACT_HOME: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<propfind xmlns=\"DAV:\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\"><prop>",
    "<A:addressbook-home-set/></prop></propfind>"
);

/// What happened since a token; everything since none. No limit is asked for: one server cuts what is beyond it in silence.
pub(super) fn sync(token: &str) -> String {
    format!(
        "{HEAD}<sync-collection xmlns=\"DAV:\"><sync-token>{}</sync-token><sync-level>1</sync-level>\
         <prop><getetag/><getcontenttype/></prop></sync-collection>",
        escape(token)
    )
}

/// Items by their addresses, whole.
pub(super) fn multiget<'a>(class: Class, urls: impl Iterator<Item = &'a Url>) -> String {
    let Words { namespace, multiget, data, .. } = words(class);
    let mut body = format!(
        "{HEAD}<X:{multiget} xmlns=\"DAV:\" xmlns:X=\"{namespace}\"><prop><getetag/><X:{data}/></prop>"
    );
    for url in urls {
        body.push_str("<href>");
        body.push_str(&escape(url.path()));
        body.push_str("</href>");
    }
    body + "</X:" + multiget + ">"
}

/// Items whose UID is, or holds, this one: servers look for parts.
pub(super) fn by_uid(class: Class, uid: &Uid) -> String {
    let uid = escape(uid.as_str());
    let Words { namespace, query, data, component, .. } = words(class);
    // RFC 6352 §10.5.4 names the collation, RFC 4791 §9.7.5 leaves it to the server.
    let matches = match class {
        Class::Contact => format!(
            "<X:prop-filter name=\"UID\"><X:text-match collation=\"i;octet\" match-type=\"equals\">\
             {uid}</X:text-match></X:prop-filter>"
        ),
        Class::Task | Class::Appointment | Class::Email => format!(
            "<X:comp-filter name=\"VCALENDAR\"><X:comp-filter name=\"{component}\">\
             <X:prop-filter name=\"UID\"><X:text-match collation=\"i;octet\">{uid}</X:text-match>\
             </X:prop-filter></X:comp-filter></X:comp-filter>"
        ),
    };
    format!(
        "{HEAD}<X:{query} xmlns=\"DAV:\" xmlns:X=\"{namespace}\"><prop><getetag/><X:{data}/></prop>\
         <X:filter>{matches}</X:filter></X:{query}>"
    )
}

struct Words {
    namespace: &'static str,
    multiget: &'static str,
    query: &'static str,
    data: &'static str,
    component: &'static str,
}

fn words(class: Class) -> Words {
    let calendar = |component| Words {
        namespace: "urn:ietf:params:xml:ns:caldav",
        multiget: "calendar-multiget",
        query: "calendar-query",
        data: "calendar-data",
        component,
    };
    match class {
        Class::Contact => Words {
            namespace: "urn:ietf:params:xml:ns:carddav",
            multiget: "addressbook-multiget",
            query: "addressbook-query",
            data: "address-data",
            component: "VCARD",
        },
        Class::Task => calendar("VTODO"),
        Class::Appointment | Class::Email => calendar("VEVENT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_or_server_wrote_stays_text() {
        let nasty = "<&\"'>]]>";
        for body in [
            sync(nasty),
            by_uid(Class::Task, &Uid::new(nasty)),
            by_uid(Class::Contact, &Uid::new(nasty)),
            multiget(Class::Contact, [Url::parse("http://localhost/a&b'").unwrap()].iter()),
        ] {
            let mut reader = quick_xml::Reader::from_str(&body);
            while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
            assert!(!body.contains("]]>") && !body.contains(nasty), "{body}");
        }
    }
}
