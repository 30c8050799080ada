//! Lists: filters, saved and user queries, delta links.

use super::{World, ids};
use reqwest::Method;
use serde_json::{Value, json};

const TRACK: [(&str, &str); 1] = [("Prefer", "odata.track-changes")];

async fn follow(world: &World, url: &str) -> Value {
    let request = world.client.get(url).bearer_auth(world.running.token("admin").unwrap());
    super::read(request.send().await.unwrap()).await.expect(200).json()
}

#[tokio::test]
async fn a_delta_link_tells_changes_and_deletes() {
    let world = World::new().await;
    let (one, two) = (
        world.make("anna", "contacts", json!({"lastname": "a"})).await,
        world.make("anna", "contacts", json!({"lastname": "b"})).await,
    );
    let first = world
        .send(
            "admin",
            Method::GET,
            "contacts?$select=lastname",
            &[("Prefer", "odata.track-changes,odata.maxpagesize=1")],
            None,
        )
        .await
        .expect(200);
    assert_eq!(first.header("Preference-Applied"), "odata.track-changes");
    let page = first.json();
    assert!(page.get("@odata.deltaLink").is_none());
    let second = follow(&world, page["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(ids(&second, "contactid"), [two.as_str()]);
    // The page after the last row is the last page, whatever its size.
    let mut last = second;
    while let Some(next) = last["@odata.nextLink"].as_str().map(str::to_owned) {
        last = follow(&world, &next).await;
    }
    let link = last["@odata.deltaLink"].as_str().unwrap().to_owned();
    world.patch("anna", &format!("contacts({one})"), json!({"lastname": "c"})).await.expect(204);
    world.delete("anna", &format!("contacts({two})")).await.expect(204);
    let delta = follow(&world, &link).await;
    let rows = delta["value"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{delta}");
    assert_eq!((&rows[0]["contactid"], &rows[0]["lastname"]), (&json!(one), &json!("c")));
    assert!(rows[1]["@odata.context"].as_str().unwrap().ends_with("/$deletedEntity"));
    assert_eq!(rows[1]["id"], json!(two));
    let quiet = follow(&world, delta["@odata.deltaLink"].as_str().unwrap()).await;
    assert!(quiet["value"].as_array().unwrap().is_empty());
    world.clock.advance(8 * 86_400);
    let expired = world
        .client
        .get(&link)
        .bearer_auth(world.running.token("admin").unwrap())
        .send()
        .await
        .unwrap();
    super::read(expired).await.refused(400, "0x80044352");
}

#[tokio::test]
async fn the_feed_has_its_restrictions() {
    let world = World::new().await;
    world.send("anna", Method::GET, "contacts", &TRACK, None).await.refused(403, "0x80040220");
    for option in ["$filter=statecode eq 0", "$orderby=lastname", "$top=1", "$expand=ownerid"] {
        let answer =
            world.send("admin", Method::GET, &format!("contacts?{option}"), &TRACK, None).await;
        assert_eq!(answer.status, 400, "{option}");
    }
    assert_eq!(world.send("admin", Method::GET, "tasks", &TRACK, None).await.status, 400);
}

#[tokio::test]
async fn saved_and_user_queries_run_for_the_caller() {
    let world = World::new().await;
    let mine = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    world.make("bo", "contacts", json!({"lastname": "b"})).await;
    let queries = world.row("anna", "userqueries?$select=userqueryid&$filter=querytype eq 256 and returnedtypecode eq 'contact'").await;
    let query = queries["value"][0]["userqueryid"].as_str().unwrap();
    assert_eq!(
        ids(&world.row("anna", &format!("contacts?userQuery={query}")).await, "contactid"),
        [mine.as_str()]
    );
    world.get("bo", &format!("contacts?userQuery={query}")).await.refused(403, "0x80048306");
    let saved =
        world.row("anna", "savedqueries?$select=savedqueryid&$filter=querytype eq 256").await;
    let saved = saved["value"][0]["savedqueryid"].as_str().unwrap();
    assert_eq!(
        ids(&world.row("anna", &format!("contacts?savedQuery={saved}")).await, "contactid"),
        [mine.as_str()]
    );
    world
        .patch("anna", &format!("savedqueries({saved})"), json!({"name": "x"}))
        .await
        .refused(403, "0x80040220");
}

#[tokio::test]
async fn filters_are_made_reset_and_checked() {
    let world = World::new().await;
    let body = |entity: &str| json!({"name": "mine", "returnedtypecode": "contact", "querytype": 256, "fetchxml": format!("<fetch><entity name='{entity}'><attribute name='{entity}id'/></entity></fetch>")});
    let id = world.make("anna", "userqueries", body("contact")).await;
    world.post("anna", "userqueries", body("account")).await.refused(400, "0x80040203");
    world.post("anna", "userqueries", json!({"name": "x"})).await.refused(400, "0x80040203");
    world
        .patch("anna", &format!("userqueries({id})"), json!({"statecode": 1, "statuscode": 2}))
        .await
        .expect(204);
    world.post("anna", "ResetUserFilters", json!({"QueryType": 256})).await.expect(204);
    world.get("anna", &format!("userqueries({id})")).await.refused(404, "0x80040217");
    assert_eq!(world.row("anna", "userqueries/$count?$filter=querytype eq 256").await, json!(5));
    let template = world
        .row("anna", "savedqueries?$filter=querytype eq 131072 and returnedtypecode eq 'task'")
        .await["value"][0]["savedqueryid"]
        .clone();
    let me = world.me("anna").await;
    let instantiate = json!({"TemplateCollection": [{"@odata.type": "Microsoft.Dynamics.CRM.savedquery", "savedqueryid": template}]});
    world
        .post(
            "anna",
            &format!("systemusers({me})/Microsoft.Dynamics.CRM.InstantiateFilters"),
            instantiate,
        )
        .await
        .expect(204);
    assert_eq!(world.row("anna", "userqueries/$count?$filter=querytype eq 256").await, json!(6));
}

#[tokio::test]
async fn fetch_pages_by_cookie_and_sql_is_understood() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.make("anna", "contacts", json!({"lastname": name})).await;
    }
    let fetch = "<fetch count='2' page='1'><entity name='contact'><attribute name='lastname'/><order attribute='lastname'/></entity></fetch>";
    let url: String = url::form_urlencoded::byte_serialize(fetch.as_bytes()).collect();
    let page = world
        .send(
            "anna",
            Method::GET,
            &format!("contacts?fetchXml={url}"),
            &[("Prefer", "odata.include-annotations=\"*\"")],
            None,
        )
        .await
        .expect(200)
        .json();
    assert_eq!(page["@Microsoft.Dynamics.CRM.morerecords"], true);
    assert!(
        page["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"]
            .as_str()
            .unwrap()
            .contains("pagingcookie=")
    );
    world.get("anna", &format!("accounts?fetchXml={url}")).await.expect(400);
    let rows = world.row("anna", "contacts?sql=SELECT TOP 2 lastname FROM contact WHERE lastname <> 'a' ORDER BY lastname DESC").await;
    assert_eq!(
        rows["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["lastname"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["c", "b"]
    );
}

#[tokio::test]
async fn five_thousand_ids_are_one_page() {
    let world = World::new().await;
    for chunk in 0..5 {
        let targets: Vec<Value> = (0..1000).map(|n| json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": format!("{chunk}-{n}")})).collect();
        let made = world
            .post(
                "anna",
                "contacts/Microsoft.Dynamics.CRM.CreateMultiple",
                json!({"Targets": targets}),
            )
            .await
            .expect(200);
        assert_eq!(made.json()["Ids"].as_array().unwrap().len(), 1000);
    }
    let page = world.row("anna", "contacts?$select=contactid").await;
    assert_eq!(page["value"].as_array().unwrap().len(), 5000);
    assert!(page.get("@odata.nextLink").is_none());
}
