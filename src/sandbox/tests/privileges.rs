//! Who may see and change what.

use super::{World, ids};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_read_only_user_writes_nothing() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    assert_eq!(world.row("dora", &format!("contacts({id})")).await["lastname"], "a");
    world.post("dora", "contacts", json!({"lastname": "b"})).await.refused(403, "0x80040220");
    world
        .patch("dora", &format!("contacts({id})"), json!({"lastname": "b"}))
        .await
        .refused(403, "0x80040220");
    world.delete("dora", &format!("contacts({id})")).await.refused(403, "0x80040220");
}

#[tokio::test]
async fn colleagues_see_each_others_rows_and_the_other_unit_does_not() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let path = format!("contacts({id})");
    world.patch("bo", &path, json!({"jobtitle": "b"})).await.expect(204);
    assert_eq!(ids(&world.row("bo", "contacts").await, "contactid"), [id.as_str()]);
    assert!(ids(&world.row("erik", "contacts").await, "contactid").is_empty());
    world.get("erik", &path).await.refused(403, "0x80048306");
    world.patch("erik", &path, json!({"lastname": "x"})).await.refused(403, "0x80048306");
    // It is there, whatever he may see.
    world
        .send(
            "erik",
            Method::PATCH,
            &path,
            &[("If-None-Match", "*")],
            Some(json!({"lastname": "x"})),
        )
        .await
        .refused(412, "0x80040237");
    assert_eq!(world.row("erik", "contacts/$count").await, json!(0));
}

#[tokio::test]
async fn assigning_moves_a_row_out_of_sight() {
    let world = World::new().await;
    let erik = world.me("erik").await;
    let id = world.make("anna", "tasks", json!({"subject": "a"})).await;
    let path = format!("tasks({id})");
    world
        .patch("anna", &path, json!({"ownerid@odata.bind": format!("/systemusers({erik})")}))
        .await
        .expect(204);
    world.get("anna", &path).await.refused(403, "0x80048306");
    assert_eq!(world.row("erik", &path).await["_ownerid_value"], json!(erik));
    assert_eq!(
        world
            .get(
                "erik",
                &format!("tasks({id})/task_activity_parties?$filter=participationtypemask eq 9")
            )
            .await
            .json()["value"][0]["_partyid_value"],
        json!(erik)
    );
}

#[tokio::test]
async fn parties_and_attachments_are_judged_by_their_activity() {
    let world = World::new().await;
    let email = world.make("anna", "emails", json!({"subject": "a", "email_activity_parties": [{"addressused": "x@example.org", "participationtypemask": 2}]})).await;
    let file = json!({"filename": "a.txt", "body": "aGk=", "objectid_email@odata.bind": format!("/emails({email})"), "objecttypecode": "email"});
    let file = world.make("anna", "activitymimeattachments", file).await;
    assert_eq!(world.row("anna", &format!("emails({email})")).await["attachmentcount"], 1);
    assert_eq!(
        world.get("anna", &format!("activitymimeattachments({file})/body/$value")).await.text,
        "aGk="
    );
    world.get("erik", &format!("activitymimeattachments({file})")).await.refused(403, "0x80048306");
    assert!(ids(&world.row("erik", "activityparties").await, "activitypartyid").is_empty());
    assert!(!ids(&world.row("bo", "activityparties").await, "activitypartyid").is_empty());
}

#[tokio::test]
async fn shares_open_single_rows() {
    let world = World::new().await;
    let (id, erik) =
        (world.make("anna", "contacts", json!({"lastname": "a"})).await, world.me("erik").await);
    let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id});
    let principal =
        json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": erik});
    let grant = json!({"Target": target, "PrincipalAccess": {"Principal": principal, "AccessMask": "ReadAccess"}});
    let mut blind = grant.clone();
    blind["PrincipalAccess"]["AccessMask"] = json!("WriteAccess, DeleteAccess");
    world.post("anna", "GrantAccess", blind).await.expect(204);
    assert!(ids(&world.row("erik", "contacts").await, "contactid").is_empty());
    world.get("erik", &format!("contacts({id})")).await.refused(403, "0x80048306");
    world.post("anna", "GrantAccess", grant).await.expect(204);
    assert_eq!(ids(&world.row("erik", "contacts").await, "contactid"), [id.as_str()]);
    world
        .patch("erik", &format!("contacts({id})"), json!({"lastname": "x"}))
        .await
        .refused(403, "0x80048306");
    let access = format!(
        "systemusers({erik})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@p1)?@p1={{'@odata.id':'contacts({id})'}}"
    );
    assert_eq!(world.row("anna", &access).await["AccessRights"], "ReadAccess");
    world
        .post("anna", "RevokeAccess", json!({"Target": target, "Revokee": principal}))
        .await
        .expect(204);
    world.get("erik", &format!("contacts({id})")).await.refused(403, "0x80048306");
}

#[tokio::test]
async fn privileges_are_told_and_can_be_changed() {
    let world = World::new().await;
    let anna = world.me("anna").await;
    let path = format!("systemusers({anna})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges");
    let told = world.row("anna", &path).await;
    let depth = |told: &serde_json::Value, name: &str| {
        let rows = told["RolePrivileges"].as_array().unwrap();
        rows.iter()
            .find(|row| row["PrivilegeName"] == name)
            .map(|row| row["Depth"].as_str().unwrap().to_owned())
    };
    assert_eq!(depth(&told, "prvReadContact").as_deref(), Some("Local"));
    world
        .admin(
            Method::POST,
            "privileges",
            Some(json!({"user": "anna", "privilege": "prvReadContact", "depth": null})),
        )
        .await
        .expect(204);
    assert_eq!(depth(&world.row("anna", &path).await, "prvReadContact"), None);
    world.get("anna", "contacts").await.refused(403, "0x80040220");
}

#[tokio::test]
async fn settings_mailboxes_and_filters_are_ones_own() {
    let world = World::new().await;
    let mailboxes = world.row("anna", "mailboxes?$select=emailaddress").await;
    assert_eq!(mailboxes["value"].as_array().unwrap().len(), 1);
    assert_eq!(mailboxes["value"][0]["emailaddress"], "anna@example.org");
    let bo = world.me("bo").await;
    world.get("anna", &format!("usersettingscollection({bo})")).await.refused(403, "0x80048306");
    let filters = world.row("anna", "userqueries?$filter=querytype eq 256").await;
    assert!(!filters["value"].as_array().unwrap().is_empty());
    let me = json!(world.me("anna").await);
    assert!(filters["value"].as_array().unwrap().iter().all(|row| row["_ownerid_value"] == me));
}
