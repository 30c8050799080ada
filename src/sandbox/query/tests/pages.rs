use super::*;

/// Follows next links or cookies to the end; the ids in the order they came.
fn all_pages(
    connection: &Connection,
    fetching: bool,
    order: &[(String, bool)],
    size: u32,
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cookie = String::new();
    let terms: Vec<String> = order
        .iter()
        .map(|(name, down)| format!("{name} {}", if *down { "desc" } else { "asc" }))
        .collect();
    let mut raw = format!("$select=contactid&$orderby={}", terms.join(","));
    if order.is_empty() {
        raw = String::from("$select=contactid");
    }
    for number in 1.. {
        assert!(number < 100, "paging does not end");
        let page = if fetching {
            let orders: Vec<String> = order
                .iter()
                .map(|(name, down)| format!("<order attribute='{name}' descending='{down}'/>"))
                .collect();
            fetch(
                connection,
                &format!(
                    "<fetch count='{size}' page='{number}'{cookie}><entity name='contact'><attribute name='contactid'/>{}</entity></fetch>",
                    orders.join("")
                ),
            )
        } else {
            ask(connection, "contacts", &raw, "", Some(size))
        };
        assert!(page.rows.len() <= size as usize);
        ids.extend(page.rows.iter().map(|row| row["contactid"].as_str().unwrap().to_owned()));
        assert_eq!(page.more, page.next_link.is_some() || page.cookie.is_some());
        match (page.next_link, page.cookie) {
            (Some(link), _) => link.split_once('?').unwrap().1.clone_into(&mut raw),
            (None, Some(found)) => {
                let doubly = found.split('"').nth(3).unwrap();
                let decode = |text: &str| {
                    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
                };
                let escaped = quick_xml::escape::escape(decode(&decode(doubly))).into_owned();
                cookie = format!(" paging-cookie='{escaped}'");
            }
            (None, None) => break,
        }
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever the order, with nulls, equal keys and any text, the pages hold every row once, in the order of one big page.
    #[test]
    fn pages_partition_the_rows(
        rows in prop::collection::vec((prop::option::of("[aA&<\"'% éß]{0,3}"), prop::option::of(0..3_i64), "[0-9]{4}"), 0..25),
        order in prop::sample::subsequence(vec!["fullname", "gendercode", "createdon", "contactid"], 0..=4).prop_shuffle(),
        down in prop::collection::vec(any::<bool>(), 4),
        size in 1_u32..6,
        fetching in any::<bool>(),
    ) {
        let connection = database();
        for (number, (name, gender, year)) in (0_u32..).zip(&rows) {
            insert(&connection, "contact", &json!({
                "contactid": id('c', number), "fullname": name, "gendercode": gender,
                "createdon": format!("{year}-01-01T00:00:00Z"), "versionnumber": 1,
            }));
        }
        let order: Vec<(String, bool)> = order.into_iter().map(str::to_owned).zip(down).collect();
        let paged = all_pages(&connection, fetching, &order, size);
        prop_assert_eq!(&paged, &all_pages(&connection, fetching, &order, 1000));
        let mut sorted = paged;
        sorted.sort();
        let expected: Vec<String> = (0_u32..).take(rows.len()).map(|number| id('c', number)).collect();
        prop_assert_eq!(sorted, expected);
    }
}

#[test]
fn a_page_begins_behind_the_last_row_whatever_was_deleted() {
    let connection = database();
    for number in 0..6 {
        insert(&connection, "contact", &json!({"contactid": id('c', number), "versionnumber": 1}));
    }
    let first = ask(&connection, "contacts", "$select=contactid", "", Some(2));
    connection.execute("DELETE FROM contact WHERE contactid = ?1", [id('c', 0)]).unwrap();
    let raw = first.next_link.unwrap().split_once('?').unwrap().1.to_owned();
    let second = ask(&connection, "contacts", &raw, "", Some(2));
    assert_eq!(second.rows[0]["contactid"], id('c', 2));
}

#[test]
fn the_cookie_is_spelled_as_documented() {
    let connection = organisation();
    let text = "<fetch count='1' page='1'><entity name='contact'><attribute name='fullname'/><order attribute='fullname'/></entity></fetch>";
    let page = fetch(&connection, text);
    assert!(page.more);
    assert_eq!(
        page.cookie.unwrap(),
        "<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie%2520page%253d%25221%2522%253e%253cfullname%2520last%253d%2522Ada\
         %2522%2520first%253d%2522Ada%2522%2520%252f%253e%253ccontactid%2520last%253d%2522%257bC0000000-0000-4000-8000-000000000001\
         %257d%2522%2520first%253d%2522%257bC0000000-0000-4000-8000-000000000001%257d%2522%2520%252f%253e%253c%252fcookie%253e\" istracking=\"False\" />"
    );
    let link =
        ask(&connection, "contacts", "$select=fullname&$filter=fullname ne '%2B%26'", "", Some(1))
            .next_link
            .unwrap();
    assert_eq!(
        link,
        format!(
            "{BASE}/contacts?$select=fullname&$filter=fullname%20ne%20'%2B%26'&$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22\
             %253ccookie%2520page%253d%25221%2522%253e%253ccontactid%2520last%253d%2522%257bC0000000-0000-4000-8000-000000000001%257d%2522\
             %2520first%253d%2522%257bC0000000-0000-4000-8000-000000000001%257d%2522%2520%252f%253e%253c%252fcookie%253e%22%20istracking=%22False%22%20/%3E"
        )
    );
}

#[test]
fn top_count_and_pages_keep_to_their_limits() {
    let connection = database();
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5199) \
             INSERT INTO contact (contactid, versionnumber) SELECT printf('c0000000-0000-4000-8000-%012d', i), i FROM n",
        )
        .unwrap();
    let ask = |raw: &str, size| ask(&connection, "contacts", raw, "", size);
    let page = ask("$select=contactid&$count=true", None);
    assert_eq!((page.rows.len(), page.count, page.more), (5000, Some(5000), true));
    assert_eq!(ask("$select=contactid", Some(100_000)).rows.len(), 5000);
    let top = ask("$select=contactid&$top=3", None);
    assert_eq!((top.rows.len(), top.more, top.next_link), (3, false, None));
    assert_eq!(ask("$select=contactid&$top=3", Some(10)).rows.len(), 10, "maxpagesize beats $top");
    let over = ask("$select=contactid&$top=5100", None);
    assert_eq!((over.rows.len(), over.more), (5000, true));
    let raw = over.next_link.unwrap().split_once('?').unwrap().1.to_owned();
    let rest = ask(&raw, None);
    assert_eq!((rest.rows.len(), rest.more), (100, false));
    let beyond =
        fetchxml::parse("<fetch count='5000' page='11'><entity name='contact'/></fetch>").unwrap();
    let refused =
        scoped("", None, &everything, |scope| run(&connection, &beyond, scope)).unwrap_err();
    assert_eq!(refused.code, "0x80040203");
    let second = fetch(
        &connection,
        "<fetch count='1000' page='6'><entity name='contact'><attribute name='contactid'/></entity></fetch>",
    );
    assert_eq!((second.rows.len(), second.more, second.cookie), (200, false, None));
}

#[test]
fn queries_without_a_cookie_are_paged_by_number() {
    let connection = organisation();
    let text = |page: u32| {
        format!(
            "<fetch count='1' page='{page}'><entity name='appointment'><attribute name='subject'/>\
             <link-entity name='activityparty' from='activityid' to='activityid' alias='p'>\
             <attribute name='participationtypemask'/></link-entity></entity></fetch>"
        )
    };
    let (first, second) = (fetch(&connection, &text(1)), fetch(&connection, &text(2)));
    assert_eq!(
        (first.more, first.cookie),
        (true, None),
        "one meeting has two parties: its id is no place to go on from"
    );
    assert_eq!((first.rows.len(), second.rows.len(), second.more), (1, 1, false));
    assert_ne!(first.rows[0]["p.participationtypemask"], second.rows[0]["p.participationtypemask"]);
}
