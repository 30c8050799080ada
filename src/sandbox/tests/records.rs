//! Create, read, update, upsert and delete.

use super::{World, appointment};
use reqwest::Method;
use serde_json::json;

const ID: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn a_create_is_read_back_with_what_the_service_adds() {
    let world = World::new().await;
    let body = json!({"firstname": "Ada", "lastname": "Lovelace", "birthdate": "1815-12-10", "address1_city": "London", "fullname": "x", "createdon": "2000-01-01T00:00:00Z"});
    let id = world.make("anna", "contacts", body).await;
    let row = world.row("anna", &format!("contacts({id})")).await;
    assert_eq!(
        (&row["fullname"], &row["birthdate"], &row["statecode"]),
        (&json!("Ada Lovelace"), &json!("1815-12-10"), &json!(0))
    );
    assert_eq!(row["createdon"], "2026-03-02T10:00:00Z");
    assert_eq!(row["_ownerid_value"], json!(world.me("anna").await));
    assert_eq!(row["address1_composite"], "London");
    assert!(row["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(world.get("anna", &format!("contacts({})", id.to_uppercase())).await.status, 200);
}

#[tokio::test]
async fn a_create_with_its_own_id_happens_once() {
    let world = World::new().await;
    let path = format!("contacts({ID})");
    let create = |name: &'static str| {
        world.send(
            "anna",
            Method::PATCH,
            &path,
            &[("If-None-Match", "*")],
            Some(json!({"lastname": name})),
        )
    };
    create("first").await.expect(204);
    create("second").await.refused(412, "0x80040237");
    world
        .post("anna", "contacts", json!({"contactid": ID, "lastname": "third"}))
        .await
        .refused(412, "0x80040237");
    assert_eq!(world.row("anna", &path).await["lastname"], "first");
}

#[tokio::test]
async fn an_update_names_the_version_it_was_made_on() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let path = format!("contacts({id})");
    let etag = world.row("anna", &path).await["@odata.etag"].as_str().unwrap().to_owned();
    let update = |name: &'static str, etag: String| {
        let path = path.clone();
        let world = &world;
        async move {
            world
                .send(
                    "anna",
                    Method::PATCH,
                    &path,
                    &[("If-Match", &etag)],
                    Some(json!({"lastname": name})),
                )
                .await
        }
    };
    update("b", etag.clone()).await.expect(204);
    update("c", etag.clone()).await.refused(412, "0x80060882");
    let stale = world.send("anna", Method::DELETE, &path, &[("If-Match", &etag)], None).await;
    stale.refused(412, "0x80060882");
    assert_eq!(world.row("anna", &path).await["lastname"], "b");
    world.delete("anna", &path).await.expect(204);
    let gone = world.get("anna", &path).await;
    gone.refused(404, "0x80040217");
    assert_eq!(gone.json()["error"]["message"], format!("contact With Id = {id} Does Not Exist"));
    update("d", etag).await.refused(404, "0x80040217");
    world.patch("anna", &path, json!({"lastname": "e"})).await.refused(404, "0x80040217");
    // Without a condition a PATCH is an upsert, and resurrects.
    world.send("anna", Method::PATCH, &path, &[], Some(json!({"lastname": "f"}))).await.expect(204);
    assert_eq!(world.row("anna", &path).await["lastname"], "f");
}

#[tokio::test]
async fn representation_is_returned_on_request() {
    let world = World::new().await;
    let prefer = [("Prefer", "return=representation")];
    let made = world
        .send(
            "anna",
            Method::POST,
            "contacts?$select=lastname",
            &prefer,
            Some(json!({"lastname": "a", "firstname": "b"})),
        )
        .await;
    let row = made.expect(201).json();
    assert_eq!((&row["lastname"], row.get("firstname")), (&json!("a"), None));
    let path = format!("contacts({})?$select=jobtitle", row["contactid"].as_str().unwrap());
    let changed = world
        .send("anna", Method::PATCH, &path, &prefer, Some(json!({"jobtitle": "c"})))
        .await
        .expect(200);
    assert_eq!(changed.json()["jobtitle"], "c");
}

#[tokio::test]
async fn what_the_service_refuses_is_refused_whole() {
    let world = World::new().await;
    let refused = |body| world.post("anna", "contacts", body);
    let long = refused(json!({"lastname": "x".repeat(51), "firstname": "a"})).await;
    long.refused(400, "0x80044331");
    assert!(
        long.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("'lastname' attribute of the 'contact' entity")
    );
    refused(json!({"lastname": "a", "gendercode": 7})).await.refused(400, "0x80044330");
    refused(json!({"lastname": "a", "nonsense": 7})).await.refused(400, "0x80048d19");
    refused(json!({"LastName": "a"})).await.refused(400, "0x80048d19");
    refused(json!({"lastname": 7})).await.refused(400, "0x80048d19");
    refused(json!({"_parentcustomerid_value": ID})).await.refused(400, "0x80048d19");
    refused(json!({"ParentCustomerId_account@odata.bind": format!("/accounts({ID})")}))
        .await
        .refused(400, "0x80048d19");
    refused(json!({"parentcustomerid_account@odata.bind": format!("/contacts({ID})")}))
        .await
        .refused(400, "0x80048d19");
    refused(json!({"parentcustomerid_account@odata.bind": format!("/accounts({ID})")}))
        .await
        .refused(404, "0x80040217");
    world.post("anna", "appointments", json!({"subject": "a"})).await.refused(400, "0x80040203");
    world.post("anna", "persons", json!({})).await.refused(404, "0x80060888");
    world.post("anna", "activitypointers", json!({})).await.refused(400, "0x80040800");
    world.post("anna", "activityparties", json!({})).await.refused(400, "0x80040800");
    assert!(world.row("anna", "contacts").await["value"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn lookups_are_bound_cleared_and_expanded() {
    let world = World::new().await;
    let account = world.make("anna", "accounts", json!({"name": "Contoso"})).await;
    let bind = json!({"lastname": "a", "parentcustomerid_account@odata.bind": format!("{}", world.url(&format!("accounts({account})")))});
    let id = world.make("anna", "contacts", bind).await;
    let path = format!("contacts({id})");
    let row =
        world.row("anna", &format!("{path}?$expand=parentcustomerid_account($select=name)")).await;
    assert_eq!(
        (&row["_parentcustomerid_value"], &row["parentcustomerid_account"]["name"]),
        (&json!(account), &json!("Contoso"))
    );
    let children = world
        .row("anna", &format!("accounts({account})/contact_customer_accounts?$select=lastname"))
        .await;
    assert_eq!(children["value"][0]["lastname"], "a");
    world.delete("anna", &format!("{path}/parentcustomerid_account/$ref")).await.expect(204);
    assert!(world.row("anna", &path).await["_parentcustomerid_value"].is_null());
    let again = json!({"parentcustomerid_account@odata.bind": format!("/accounts({account})")});
    world.patch("anna", &path, again).await.expect(204);
    world
        .patch("anna", &path, json!({"parentcustomerid_account": null, "jobtitle": "x"}))
        .await
        .expect(204);
    let row = world.row("anna", &path).await;
    assert!(row["_parentcustomerid_value"].is_null());
    world.patch("anna", &path, json!({"jobtitle": null})).await.expect(204);
    assert!(world.row("anna", &path).await["jobtitle"].is_null());
}

#[tokio::test]
async fn an_alternate_key_updates_or_creates() {
    let world = World::new().await;
    let path = "contacts(emailaddress1='ada%40example.test')";
    let upsert = |name: &'static str| {
        world.send("anna", Method::PATCH, path, &[], Some(json!({"lastname": name})))
    };
    upsert("a").await.expect(204);
    upsert("b").await.expect(204);
    let row = world.row("anna", path).await;
    assert_eq!(
        (&row["lastname"], &row["emailaddress1"]),
        (&json!("b"), &json!("ada@example.test"))
    );
    world.get("anna", "contacts(emailaddress1='none')").await.refused(404, "0x80060891");
    world.get("anna", "contacts(lastname='b')").await.refused(400, "0x80060891");
}

#[tokio::test]
async fn an_activity_is_born_open_and_closed_by_a_pair() {
    let world = World::new().await;
    let id = world
        .make("anna", "tasks", json!({"subject": "a", "statecode": 1, "percentcomplete": 10}))
        .await;
    let path = format!("tasks({id})");
    let row = world.row("anna", &path).await;
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["activitytypecode"]),
        (&json!(0), &json!(2), &json!("task"))
    );
    world
        .patch("anna", &path, json!({"statecode": 1, "statuscode": 3}))
        .await
        .refused(400, "0x80048408");
    world.patch("anna", &path, json!({"statuscode": 5})).await.refused(400, "0x80048408");
    world
        .patch("anna", &path, json!({"statecode": 1, "statuscode": 5, "description": "last words"}))
        .await
        .expect(204);
    let row = world.row("anna", &path).await;
    assert_eq!(
        (&row["statuscode"], &row["actualend"], &row["percentcomplete"]),
        (&json!(5), &json!("2026-03-02T10:00:00Z"), &json!(100))
    );
    world.patch("anna", &path, json!({"subject": "b"})).await.refused(400, "0x80040224");
    world
        .patch("anna", &path, json!({"subject": "b", "statecode": 0, "statuscode": 2}))
        .await
        .refused(400, "0x80040224");
    let contact = world.make("anna", "contacts", json!({"lastname": "c"})).await;
    let regarding =
        json!({"regardingobjectid_contact_task@odata.bind": format!("/contacts({contact})")});
    world.patch("anna", &path, regarding).await.expect(204);
    world.patch("anna", &path, json!({"statecode": 0, "statuscode": 3})).await.expect(204);
    world.patch("anna", &path, json!({"subject": "b"})).await.expect(204);
    let row = world.row("anna", &path).await;
    assert_eq!((&row["subject"], &row["_regardingobjectid_value"]), (&json!("b"), &json!(contact)));
}

#[tokio::test]
async fn one_guid_is_one_activity() {
    let world = World::new().await;
    let create = |set: &'static str, body| {
        let path = format!("{set}({ID})");
        let world = &world;
        async move {
            world.send("anna", Method::PATCH, &path, &[("If-None-Match", "*")], Some(body)).await
        }
    };
    create("tasks", json!({"subject": "a"})).await.expect(204);
    create("appointments", appointment("b")).await.refused(412, "0x80040237");
    create("contacts", json!({"lastname": "c"})).await.expect(204);
    assert_eq!(world.row("anna", &format!("activitypointers({ID})")).await["subject"], "a");
}

#[tokio::test]
async fn a_delete_takes_along_what_hangs_on_it() {
    let world = World::new().await;
    let contact = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let task = world.make("anna", "tasks", json!({"subject": "b", "regardingobjectid_contact_task@odata.bind": format!("/contacts({contact})")})).await;
    let mut meeting = appointment("c");
    meeting["appointment_activity_parties"] = json!([{"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 5}]);
    let meeting = world.make("anna", "appointments", meeting).await;
    world.delete("anna", &format!("contacts({contact})")).await.expect(204);
    world.get("anna", &format!("tasks({task})")).await.refused(404, "0x80040217");
    let row = world
        .row("anna", &format!("appointments({meeting})?$expand=appointment_activity_parties"))
        .await;
    let party = row["appointment_activity_parties"]
        .as_array()
        .unwrap()
        .iter()
        .find(|party| party["participationtypemask"] == 5)
        .unwrap();
    assert_eq!(party["ispartydeleted"], true);
}

#[tokio::test]
async fn single_properties_are_read_written_and_emptied() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let path = format!("contacts({id})/jobtitle");
    assert_eq!(world.get("anna", &path).await.status, 204);
    world.send("anna", Method::PUT, &path, &[], Some(json!({"value": "b"}))).await.expect(204);
    assert_eq!(world.row("anna", &path).await["value"], "b");
    assert_eq!(world.get("anna", &format!("{path}/$value")).await.text, "b");
    world.delete("anna", &path).await.expect(204);
    assert_eq!(world.get("anna", &path).await.status, 204);
}

#[tokio::test]
async fn duplicates_are_detected_on_request_only() {
    let world = World::new().await;
    let body = || Some(json!({"lastname": "a", "emailaddress1": "a@example.org"}));
    world.send("anna", Method::POST, "contacts", &[], body()).await.expect(204);
    world.send("anna", Method::POST, "contacts", &[], body()).await.expect(204);
    let detected = world
        .send(
            "anna",
            Method::POST,
            "contacts",
            &[("MSCRM.SuppressDuplicateDetection", "false")],
            body(),
        )
        .await;
    assert_eq!(detected.code(), "0x80040333");
}

#[tokio::test]
async fn a_conditional_get_hits_only_without_annotations() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let path = format!("contacts({id})");
    let etag = world.row("anna", &path).await["@odata.etag"].as_str().unwrap().to_owned();
    assert_eq!(
        world.send("anna", Method::GET, &path, &[("If-None-Match", &etag)], None).await.status,
        304
    );
    let annotated =
        [("If-None-Match", etag.as_str()), ("Prefer", "odata.include-annotations=\"*\"")];
    assert_eq!(world.send("anna", Method::GET, &path, &annotated, None).await.status, 200);
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_never_break_the_service() {
    let world = World::new().await;
    let token = world.running.token("anna").unwrap();
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for body in [
        "{",
        "[]",
        "\"x\"",
        "{\"lastname\": \"\\ud800\"}",
        deep.as_str(),
        "{\"contactid\": \"'; DROP TABLE contact; --\"}",
        "{\"@odata.bind\": 1}",
    ] {
        let request = world
            .client
            .post(world.url("contacts"))
            .bearer_auth(&token)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let answer = super::read(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 400, "{body:.40}: {}", answer.text);
    }
    for path in [
        "contacts('",
        "contacts(%00)",
        "contacts(a=b,c='d)",
        "contacts?$filter=((((",
        "contacts?fetchXml=%3Cx",
        "contacts?$select=%27",
        "%ff",
    ] {
        let status = world.get("anna", path).await.status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let long = format!("contacts?$select={}", "lastname,".repeat(4000));
    assert_eq!(world.get("anna", &long).await.status, 414);
    world.make("anna", "contacts", json!({"lastname": "alive"})).await;
}
