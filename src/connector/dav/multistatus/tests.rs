use super::*;

const CYRUS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/">
 <!-- a comment --><D:response><D:href>/dav/a%20b/</D:href><D:propstat><D:prop>
  <D:resourcetype><D:collection/><C:calendar/></D:resourcetype>
  <D:displayname><![CDATA[a < b & c]]></D:displayname><CS:getctag>1-2</CS:getctag>
  <C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name='vtodo'></C:comp></C:supported-calendar-component-set>
  <D:current-user-privilege-set><D:privilege><D:read/></D:privilege><D:privilege><D:write-content/></D:privilege></D:current-user-privilege-set>
  <D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report></D:supported-report-set>
 </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
 <D:propstat><D:prop><D:getetag>"no"</D:getetag></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>
 <D:response><D:href> /dav/a%20b/e.ics
 </D:href><D:propstat><D:prop><D:getetag>"1&quot;&#x32;&#51;&amp;"</D:getetag>
  <C:calendar-data>BEGIN:X&#13;
 a &lt; b</C:calendar-data></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
 <D:response><D:href>/dav/a%20b/gone.ics</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>
 <D:sync-token> data:,1-2 </D:sync-token>
</D:multistatus>
"#;

#[test]
fn an_answer_with_everything_in_it() {
    let answer = read(CYRUS.as_bytes()).unwrap();
    assert_eq!(answer.sync_token.as_deref(), Some("data:,1-2"));
    let [calendar, event, gone] = answer.responses.as_slice() else { panic!("{answer:?}") };
    let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(calendar.properties.kinds, words(&["calendar", "collection"]));
    assert_eq!(calendar.properties.components, words(&["VEVENT", "VTODO"]));
    assert_eq!(calendar.properties.privileges, Some(words(&["read", "write-content"])));
    assert_eq!(calendar.properties.reports, Some(words(&["sync-collection"])));
    assert_eq!(calendar.properties.display_name.as_deref(), Some("a < b & c"));
    assert_eq!(calendar.properties.ctag.as_deref(), Some("1-2"));
    assert_eq!(calendar.properties.etag, None, "a 404 found nothing");
    assert_eq!(event.hrefs, ["/dav/a%20b/e.ics"]);
    assert_eq!(event.properties.etag.as_deref(), Some("\"1\"23&\""));
    assert_eq!(event.properties.data.as_deref(), Some("BEGIN:X\r\n a < b"));
    assert_eq!((gone.status, gone.hrefs.len()), (Some(404), 1));
}

#[test]
fn an_answer_cut_anywhere_is_an_error() {
    let whole = CYRUS.trim_end();
    for end in 0..whole.len() {
        let error = read(&whole.as_bytes()[..end]).expect_err("cut");
        assert_eq!(error.kind, ErrorKind::Malformed, "{end}");
    }
    read(whole.as_bytes()).unwrap();
}

#[test]
fn what_is_hostile_is_refused() {
    let inside = |inner: &str| format!("<multistatus xmlns='DAV:'>{inner}</multistatus>");
    let deep = "<a>".repeat(100_000);
    let lol = "<!DOCTYPE m [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><multistatus xmlns='DAV:'>&b;</multistatus>";
    let file = "<!DOCTYPE m SYSTEM 'file:///etc/passwd'><multistatus xmlns='DAV:'/>";
    let bad = [
        String::new(),
        "<html><body>please sign in</body></html>".to_owned(),
        "{\"error\":1}".to_owned(),
        "<multistatus/>".to_owned(),
        "<multistatus xmlns='urn:other'/>".to_owned(),
        "<multistatus xmlns='DAV:'/><multistatus xmlns='DAV:'/>".to_owned(),
        "<multistatus xmlns='DAV:'/>text".to_owned(),
        "text<multistatus xmlns='DAV:'/>".to_owned(),
        lol.to_owned(),
        file.to_owned(),
        inside("&undefined;"),
        inside("&#0;"),
        inside("&#xD800;"),
        inside("&#99999999999;"),
        inside("</multistatus>"),
        inside("<a></b>"),
        inside(&deep),
        deep,
    ];
    for text in bad {
        let error = read(text.as_bytes()).expect_err(text.get(..80).unwrap_or(&text));
        assert_eq!(error.kind, ErrorKind::Malformed);
    }
    assert!(read(b"<multistatus xmlns='DAV:'>\xff</multistatus>").is_err());
    let many = "<x:response xmlns:x='DAV:'/>".repeat(3);
    assert_eq!(read(inside(&many).as_bytes()).unwrap().responses.len(), 3);
}

#[test]
fn a_propstat_without_a_status_found_nothing() {
    let text = "<multistatus xmlns='DAV:'><response><href>/a</href><propstat><prop><getetag>\"1\"</getetag></prop></propstat></response></multistatus>";
    assert_eq!(read(text.as_bytes()).unwrap().responses[0].properties.etag, None);
}

#[test]
fn conditions_are_those_of_an_error_only() {
    let text = "<d:error xmlns:d='DAV:'><d:valid-sync-token><d:inner/><d:href> /a </d:href></d:valid-sync-token><x/></d:error>";
    let Conditions { names, hrefs } = conditions(text.as_bytes());
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["valid-sync-token", "x"]);
    assert_eq!(hrefs, ["/a"]);
    assert!(conditions(b"<multistatus xmlns='DAV:'><response/></multistatus>").names.is_empty());
    assert!(conditions(b"<error xmlns='DAV:'><a>").names.is_empty());
    assert!(conditions(b"not found").names.is_empty());
}
