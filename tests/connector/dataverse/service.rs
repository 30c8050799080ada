//! What the organisation does to everything: requests, filters, addresses, tokens, faults.

use std::sync::Arc;

use liaison::connector::auth::{Credential, Kind};
use liaison::connector::tls::{Fingerprint, Trust};

use super::*;

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_found_and_not_repeated() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let contact = id(Table::Contact, 1);
    for fault in ["drop-reply", "cut-reply"] {
        let contact = if fault == "drop-reply" { contact.clone() } else { id(Table::Contact, 2) };
        organisation.fault(&json!({"fault": fault, "path": "$batch"})).await;
        let body = || patch(json!({"lastname": "Once"}));
        let lost = crm.write(Class::Contact, vec![create(&contact, body())]).await.unwrap_err();
        assert_eq!(lost.kind, ErrorKind::Unreachable, "{fault}");
        assert_eq!(
            write(&crm, Class::Contact, create(&contact, body())).await.unwrap_err().kind,
            ErrorKind::Exists
        );
        assert_eq!(column(&document(&crm, Class::Contact, &contact).await, "lastname"), "Once");
    }
    assert_eq!(crm.list(Class::Contact).await.unwrap().entries.len(), 2);
    organisation.fault(&json!({"fault": "unauthorized"})).await;
    assert!(crm.list(Class::Contact).await.is_ok(), "the token is renewed once");
    organisation
        .fault(
            &json!({"fault": {"status": {"status": 429, "code": "0x80072322", "retry_after": 17}}}),
        )
        .await;
    assert_eq!(
        crm.list(Class::Contact).await.unwrap_err().kind,
        ErrorKind::Throttled(Duration::from_secs(17))
    );
    organisation.fault(&json!({"fault": {"html": {"status": 502}}})).await;
    assert_eq!(crm.list(Class::Contact).await.unwrap_err().kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn ten_thousand_contacts_cost_few_requests() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    assert_eq!(crm.requested().requests, 1);
    let ids: Vec<ItemId> = (1..=10_000).map(|number| id(Table::Contact, number)).collect();
    let writes = ids
        .iter()
        .enumerate()
        .map(|(number, id)| create(id, patch(json!({"lastname": format!("L{number}")}))))
        .collect();
    let written = crm.write(Class::Contact, writes).await.unwrap();
    assert!(written.iter().all(Result::is_ok));
    assert_eq!(crm.requested().requests, 11);
    let listing = crm.list(Class::Contact).await.unwrap();
    assert!(listing.is_complete());
    assert_eq!(listing.entries.len(), 10_000);
    assert_eq!(crm.requested().requests, 13);
    for (id, written) in ids.iter().zip(&written) {
        assert_eq!(
            listing.entries[id],
            written.as_ref().unwrap().document.as_ref().unwrap().version
        );
    }
    let read = crm.read(Class::Contact, &ids).await.unwrap();
    assert!(read.values().all(Result::is_ok));
    assert_eq!(crm.requested().requests, 23);
}

#[tokio::test]
async fn addresses_belong_to_one_or_to_nobody() {
    let organisation = Organisation::start().await;
    let (anna, bo) = (organisation.connect("anna").await, organisation.connect("bo").await);
    assert_eq!(anna.me().iter().map(Address::as_str).collect::<Vec<_>>(), ["anna@example.org"]);
    let contact = |address: &str| patch(json!({"lastname": "C", "emailaddress2": address}));
    for (crm, number, address) in [
        (&anna, 1, "Only@Example.com"),
        (&anna, 2, "twice@example.com"),
        (&bo, 3, "twice@example.com"),
        (&bo, 4, "unclear@example.com"),
        (&bo, 5, "unclear@example.com"),
        (&bo, 6, "bo@example.org"),
    ] {
        write(crm, Class::Contact, create(&id(Table::Contact, number), contact(address)))
            .await
            .unwrap();
    }
    let address = |text: &str| Address::parse(text).unwrap();
    let asked = [
        "only@example.com",
        "TWICE@example.com",
        "unclear@example.com",
        "bo@example.org",
        "nobody@example.com",
        "o'hara&<>\"@example.com",
    ]
    .map(address);
    let before = anna.requested().requests;
    let found = anna.resolve(&asked).await.unwrap();
    assert_eq!(anna.requested().requests - before, 1);
    let of = |table: &str, guid: Uuid| PartyRef { table: table.to_owned(), guid };
    let guid = |number| RecordId::parse(&id(Table::Contact, number)).unwrap().guid;
    assert_eq!(
        found,
        BTreeMap::from([
            (address("only@example.com"), of("contact", guid(1))),
            (address("twice@example.com"), of("contact", guid(2))),
            (address("bo@example.org"), of("systemuser", bo.user())),
        ])
    );
}

#[tokio::test]
async fn metadata_are_kept_and_a_wrong_token_is_named() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    assert_eq!(crm.lengths()[&(Table::Contact, "lastname".to_owned())], 50);
    assert_eq!(crm.lengths()[&(Table::Task, "description".to_owned())], 2000);
    let kept = crm.metadata().to_json();
    let again = Dataverse::connect(
        organisation.options("anna", BTreeMap::new()),
        Clock::system(),
        Some(kept),
    )
    .await
    .unwrap();
    assert_eq!(again.metadata(), crm.metadata());
    // Who we are, where days are counted, which files are taken, which filters there are, and which computer syncs.
    assert_eq!((again.requested().requests, again.requested().operations), (1, 9));
    let spoiled = Dataverse::connect(
        organisation.options("anna", BTreeMap::new()),
        Clock::system(),
        Some(json!({})),
    )
    .await
    .unwrap();
    assert_eq!(spoiled.metadata(), crm.metadata());
    // A class without a filter takes no part; it is not empty.
    assert_eq!(again.list(Class::Contact).await.unwrap_err().kind, ErrorKind::Unsupported);
    for command in ["echo wrong".to_owned(), organisation.token_command("nobody")] {
        let mut options = organisation.options("anna", BTreeMap::new());
        options.credential = Arc::new(Credential::command(Kind::Token, &command));
        let error = Dataverse::connect(options, Clock::system(), None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised);
        assert!(error.hint.unwrap().contains(&command));
    }
}

#[tokio::test]
async fn filters_form_a_union() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let writes = [("A", "x"), ("B", "x"), ("C", "y"), ("D", "z")].iter().enumerate().map(
        |(number, (last, city))| {
            create(
                &id(Table::Contact, number as u128),
                patch(json!({"lastname": last, "address1_city": city})),
            )
        },
    );
    crm.write(Class::Contact, writes.collect()).await.unwrap();
    let filter = |city: &str, last: &str| {
        format!(
            "<fetch><entity name='contact'><attribute name='fullname'/><order attribute='lastname'/><filter type='or'>\
         <condition attribute='address1_city' operator='eq' value='{city}'/><condition attribute='lastname' operator='eq' value='{last}'/></filter></entity></fetch>"
        )
    };
    let list = async |filters: Vec<String>| {
        let options = organisation.options("anna", BTreeMap::from([(Table::Contact, filters)]));
        Dataverse::connect(options, Clock::system(), None).await.unwrap().list(Class::Contact).await
    };
    let both = list(vec![filter("x", "C"), filter("y", "A")]).await.unwrap();
    assert!(both.is_complete());
    assert_eq!(
        both.entries.keys().cloned().collect::<Vec<_>>(),
        (0..3).map(|n| id(Table::Contact, n)).collect::<Vec<_>>()
    );
    // One filter that the service refuses makes the whole less than everything.
    let refused = "<fetch><entity name='contact'><filter><condition attribute='nosuchcolumn' operator='eq' value='1'/></filter></entity></fetch>".to_owned();
    let partial = list(vec![filter("x", "C"), refused.clone()]).await.unwrap();
    assert!(!partial.is_complete());
    assert_eq!(partial.entries.len(), 3);
    assert!(list(vec![refused]).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_trusted_only_through_its_authority() {
    let (organisation, authority) = Organisation::start_with_tls().await;
    let mut options = organisation.options("anna", BTreeMap::new());
    assert!(options.url.starts_with("https://"));
    let refused = Dataverse::connect(options.clone(), Clock::system(), None).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable);
    let said = refused.hint.unwrap();
    assert!(said.contains("`ca`"), "{said}");
    options.trust = Trust::Authority(authority);
    assert!(Dataverse::connect(options.clone(), Clock::system(), None).await.is_ok());
    // What it says of the certificate is enough to trust it.
    let print = said.split_once("pin=\"").unwrap().1.split_once('"').unwrap().0;
    options.trust = Trust::Pin(Fingerprint::parse(print).unwrap());
    assert!(Dataverse::connect(options, Clock::system(), None).await.is_ok());
}

#[tokio::test]
async fn the_users_zone_comes_with_the_first_answer_and_may_be_unknown() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    assert_eq!((crm.zone(), crm.requested().requests), (Some("UTC"), 1));
    let choose = async |code: i64| {
        let path = format!("usersettingscollection({})", crm.user());
        let change = Operation::new(Method::Patch, path).body(&json!({"timezonecode": code}));
        organisation.elsewhere("anna", change).await;
        organisation.connect("anna").await
    };
    let berlin = choose(110).await;
    assert_eq!((berlin.zone(), berlin.requested().requests), (Some("W. Europe Standard Time"), 1));
    assert_eq!(organisation.connect("bo").await.zone(), Some("UTC"), "everybody has an own zone");
    let unknown = choose(999).await;
    assert_eq!(unknown.zone(), None);
    assert!(unknown.list(Class::Contact).await.is_ok());
}

#[tokio::test]
async fn the_organisations_zones_have_rules_here() {
    let organisation = Organisation::start().await;
    let query = Operation::new(Method::Get, "timezonedefinitions?$select=standardname");
    let answer = organisation.elsewhere("anna", query).await.json().unwrap();
    let zones = answer["value"].as_array().unwrap();
    assert!(zones.len() > 50);
    for zone in zones {
        let name = zone["standardname"].as_str().unwrap();
        let iana = liaison::mapping::zone::windows::iana(name);
        assert!(iana.is_some_and(|iana| jiff::tz::TimeZone::get(iana).is_ok()), "{name}");
    }
}
