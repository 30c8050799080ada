use serde_json::json;

use super::*;

fn page_of(fetch: &Fetch, page: &Page) -> String {
    percent_decode(fetch.path("contacts", page).strip_prefix("contacts?fetchXml=").unwrap())
}

fn reduced(xml: &str) -> Result<String> {
    let fetch = Fetch::reduced(xml, "contact", "contactid", &["contactid", "versionnumber"])?;
    Ok(page_of(&fetch, &Page::first()))
}

#[test]
fn a_filter_keeps_its_conditions_and_loses_columns_and_orders() {
    let filter = "<?xml version='1.0'?><fetch version=\"1.0\" output-format='xml-platform' mapping='logical' count='3' page='9' paging-cookie='x'>
      <!-- mine --><entity name='contact'><attribute name='fullname'/><all-attributes/><order attribute='fullname'/>
      <filter type='and'><condition attribute='ownerid' operator='eq-userid'/><condition attribute='lastname' operator='in'><value>O&apos;Hara &amp; <![CDATA[<Co>]]></value></condition></filter>
      <link-entity name='account' from='accountid' to='parentcustomerid' link-type='inner'><attribute name='name'/><order attribute='name'/>
      <filter><condition attribute='name' operator='like' value='A&quot;%'/></filter></link-entity></entity></fetch>";
    assert_eq!(
        reduced(filter).unwrap(),
        "<fetch version=\"1.0\" mapping=\"logical\" count=\"5000\" page=\"1\" distinct=\"true\"><entity name=\"contact\">\
         <attribute name=\"contactid\"/><attribute name=\"versionnumber\"/><order attribute=\"contactid\"/>\
         <filter type=\"and\"><condition attribute=\"ownerid\" operator=\"eq-userid\"/><condition attribute=\"lastname\" operator=\"in\">\
         <value>O&apos;Hara &amp; &lt;Co&gt;</value></condition></filter>\
         <link-entity name=\"account\" from=\"accountid\" to=\"parentcustomerid\" link-type=\"inner\">\
         <filter><condition attribute=\"name\" operator=\"like\" value=\"A&quot;%\"/></filter></link-entity></entity></fetch>"
    );
    assert!(!reduced("<fetch><entity name='contact'/></fetch>").unwrap().contains("distinct"));
}

#[test]
fn what_does_not_say_which_rows_take_part_is_refused() {
    let deep = format!("{}{}", "<filter>".repeat(100), "</filter>".repeat(100));
    let bomb = "<!DOCTYPE x [<!ENTITY a 'b'>]><fetch><entity name='contact'/></fetch>".to_owned();
    for bad in [
        String::new(),
        "not xml".to_owned(),
        "<fetch>".to_owned(),
        "<fetch/>".to_owned(),
        "<entity name='contact'/>".to_owned(),
        "<fetch top='10'><entity name='contact'/></fetch>".to_owned(),
        "<fetch aggregate='true'><entity name='contact'/></fetch>".to_owned(),
        "<fetch><entity name='account'/></fetch>".to_owned(),
        "<fetch><entity name='contact'/><entity name='contact'/></fetch>".to_owned(),
        "<fetch><entity name='contact'></fetch>".to_owned(),
        "<fetch><entity name='contact' name='account'/></fetch>".to_owned(),
        "<fetch><entity name='contact'>&unknown;</entity></fetch>".to_owned(),
        format!("<fetch><entity name='contact'>{deep}</entity></fetch>"),
        format!("<fetch><entity name='contact'>{}</entity></fetch>", " ".repeat(LONGEST)),
        bomb,
    ] {
        assert_eq!(
            reduced(&bad).unwrap_err().kind,
            ErrorKind::Unsupported,
            "{}",
            bad.get(..80).unwrap_or(&bad)
        );
    }
}

#[test]
fn the_cookie_is_decoded_twice_and_handed_back() {
    let answer = json!({
        "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie":
            "<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie%2520page%253d%25221%2522%253e%253cid%2520last%253d%2522%257bA%257d%2522%2520%252f%253e%253c%252fcookie%253e\" istracking=\"False\" />",
        "@Microsoft.Dynamics.CRM.morerecords": true,
    });
    let second = Page::first().next(&answer, 5000).unwrap().unwrap();
    assert_eq!(
        second,
        Page {
            number: 2,
            cookie: Some("<cookie page=\"1\"><id last=\"{A}\" /></cookie>".to_owned())
        }
    );
    let fetch = Fetch::reduced(
        "<fetch><entity name='contact'/></fetch>",
        "contact",
        "contactid",
        &["contactid"],
    )
    .unwrap();
    let xml = page_of(&fetch, &second);
    assert!(xml.contains("page=\"2\" paging-cookie=\"&lt;cookie page=&quot;1&quot;&gt;&lt;id last=&quot;{A}&quot; /&gt;&lt;/cookie&gt;\""), "{xml}");
    // The same page once more.
    assert!(second.next(&answer, 5000).is_err());
}

#[test]
fn the_end_must_be_said() {
    let first = Page::first();
    assert_eq!(first.next(&json!({}), 4999), Ok(None));
    assert_eq!(first.next(&json!({"@Microsoft.Dynamics.CRM.morerecords": false}), 5000), Ok(None));
    assert!(first.next(&json!({}), 5000).is_err());
    assert!(first.next(&json!({"@odata.nextLink": "x"}), 3).is_err());
    assert!(first.next(&json!({"@Microsoft.Dynamics.CRM.morerecords": 7}), 3).is_err());
    assert!(first.next(&json!({"@Microsoft.Dynamics.CRM.morerecords": true}), 0).is_err());
    let without_cookie = first.next(&json!({"@Microsoft.Dynamics.CRM.morerecords": "True"}), 5000);
    assert_eq!(without_cookie, Ok(Some(Page { number: 2, cookie: None })));
}

proptest::proptest! {
    #[test]
    fn hostile_filters_never_panic(xml in ".{0,200}") {
        for xml in [xml.clone(), format!("<fetch><entity name='contact'>{xml}</entity></fetch>")] {
            match reduced(&xml) {
                Ok(reduced) => proptest::prop_assert!(parse(&reduced).is_ok()),
                Err(error) => proptest::prop_assert_eq!(error.kind, ErrorKind::Unsupported),
            }
        }
    }

    #[test]
    fn values_survive(value in "[^\\p{Cc}]{1,30}") {
        let fetch = Fetch::by_values("contact", "contactid", &["contactid"], Condition::is_in("lastname", [value.trim()]));
        let node = parse(&page_of(&fetch, &Page::first())).unwrap();
        let entity = &node.children[0];
        let condition = &entity.children.last().unwrap().children[0];
        proptest::prop_assert_eq!(&condition.children[0].text, value.trim());
    }
}

#[test]
fn one_row_is_asked_for_without_a_page() {
    let contacts = "<fetch><entity name='contact'/></fetch>";
    let fetch = Fetch::reduced(contacts, "contact", "contactid", &["contactid"]).unwrap();
    let path = percent_decode(&fetch.path_of_one("contacts"));
    let start = "contacts?fetchXml=<fetch version=\"1.0\" mapping=\"logical\" top=\"1\"><entity";
    assert!(path.starts_with(start), "{path}");
}
