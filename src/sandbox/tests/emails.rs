//! E-mail: parties, sending, filing, attachments.

use super::World;
use reqwest::Method;
use serde_json::{Value, json};

async fn parties(world: &World, email: &str) -> Vec<(i64, String)> {
    let list = world
        .row(
            "anna",
            &format!("emails({email})/email_activity_parties?$orderby=participationtypemask"),
        )
        .await;
    let pair = |row: &Value| {
        (
            row["participationtypemask"].as_i64().unwrap(),
            row["addressused"].as_str().unwrap_or("").to_owned(),
        )
    };
    list["value"].as_array().unwrap().iter().map(pair).collect()
}

async fn draft(world: &World) -> String {
    let anna = world.me("anna").await;
    let contact = world
        .make("anna", "contacts", json!({"lastname": "c", "emailaddress1": "c@example.net"}))
        .await;
    let body = json!({
        "subject": "Offer", "description": "<p>hi</p>", "directioncode": true,
        "email_activity_parties": [
            {"partyid_systemuser@odata.bind": format!("/systemusers({anna})"), "participationtypemask": 1},
            {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 2},
            {"addressused": "unknown@example.net", "participationtypemask": 3},
        ],
    });
    world.make("anna", "emails", body).await
}

#[tokio::test]
async fn parties_come_with_the_mail_and_are_replaced_as_a_whole() {
    let world = World::new().await;
    let id = draft(&world).await;
    let of = |mask: i64, address: &str| (mask, address.to_owned());
    let sender = of(1, "anna@example.org");
    assert_eq!(
        parties(&world, &id).await,
        [
            sender.clone(),
            of(2, "c@example.net"),
            of(3, "unknown@example.net"),
            of(9, "anna@example.org")
        ]
    );
    let etag = world.row("anna", &format!("emails({id})")).await["@odata.etag"].clone();
    let anna = world.me("anna").await;
    let value = json!({"value": [{"partyid_systemuser@odata.bind": format!("/systemusers({anna})"), "participationtypemask": 1}, {"addressused": "new@example.net", "participationtypemask": 2}]});
    let path = format!("emails({id})/email_activity_parties");
    world.send("anna", Method::PUT, &path, &[], Some(value)).await.expect(204);
    assert_eq!(
        parties(&world, &id).await,
        [sender, of(2, "new@example.net"), of(9, "anna@example.org")]
    );
    assert_eq!(world.row("anna", &format!("emails({id})")).await["@odata.etag"], etag);
    world
        .patch("anna", &format!("emails({id})"), json!({"email_activity_parties": []}))
        .await
        .refused(400, "0x80048d19");
    world.post("anna", &path, json!({"participationtypemask": 2})).await.refused(400, "0x80040203");
}

#[tokio::test]
async fn a_sent_mail_stays_as_it_is_but_for_its_regarding() {
    let world = World::new().await;
    let id = draft(&world).await;
    let path = format!("emails({id})");
    let token = world
        .post("anna", "GetTrackingTokenEmail", json!({"Subject": "Offer"}))
        .await
        .expect(200)
        .json()["TrackingToken"]
        .clone();
    assert_eq!(token, "CRM:0001001");
    let sent = world
        .post(
            "anna",
            &format!("{path}/Microsoft.Dynamics.CRM.SendEmail"),
            json!({"IssueSend": false, "TrackingToken": token}),
        )
        .await;
    assert_eq!(sent.expect(200).json()["Subject"], "Offer CRM:0001001");
    let row = world.row("anna", &path).await;
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["subject"]),
        (&json!(1), &json!(3), &json!("Offer CRM:0001001"))
    );
    assert!(row["senton"].is_string());
    world
        .patch("anna", &path, json!({"statecode": 0, "statuscode": 1}))
        .await
        .refused(400, "0x80048408");
    world.patch("anna", &path, json!({"subject": "x"})).await.refused(400, "0x80040224");
    let put = world
        .send(
            "anna",
            Method::PUT,
            &format!("{path}/email_activity_parties"),
            &[],
            Some(json!({"value": []})),
        )
        .await;
    put.refused(400, "0x80040224");
    let account = world.make("anna", "accounts", json!({"name": "a"})).await;
    let regarding =
        json!({"regardingobjectid_account_email@odata.bind": format!("/accounts({account})")});
    world.patch("anna", &path, regarding).await.expect(204);
}

#[tokio::test]
async fn whose_an_unresolved_address_is_can_be_said_of_a_sent_mail_and_nothing_else() {
    let world = World::new().await;
    let id = draft(&world).await;
    let send = format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
    world.post("anna", &send, json!({"IssueSend": false})).await.expect(200);
    let new = world
        .make("anna", "contacts", json!({"lastname": "u", "emailaddress1": "unknown@example.net"}))
        .await;
    let path = format!("emails({id})/email_activity_parties");
    let list = world.row("anna", &path).await;
    let told = |row: &Value| {
        let mut party = json!({
            "participationtypemask": row["participationtypemask"],
            "addressused": row["addressused"],
        });
        if let Some(guid) = row["_partyid_value"].as_str() {
            let kind = if row["participationtypemask"] == 1 { "systemuser" } else { "contact" };
            party[format!("partyid_{kind}@odata.bind")] = json!(format!("/{kind}s({guid})"));
        }
        party
    };
    let rows = list["value"].as_array().unwrap();
    let mut all: Vec<Value> =
        rows.iter().filter(|row| row["participationtypemask"] != 9).map(told).collect();
    let unknown = all.iter().position(|row| row["addressused"] == "unknown@example.net").unwrap();
    all[unknown]["partyid_contact@odata.bind"] = json!(format!("/contacts({new})"));
    let put = |rows: Vec<Value>| {
        world.send("anna", Method::PUT, &path, &[], Some(json!({ "value": rows })))
    };
    put(all[1..].to_vec()).await.refused(400, "0x80040224");
    let mut other = all.clone();
    other[unknown]["addressused"] = json!("other@example.net");
    put(other).await.refused(400, "0x80040224");
    let before = parties(&world, &id).await;
    put(all.clone()).await.expect(204);
    assert_eq!(parties(&world, &id).await, before);
    // Now it is known, and stays so.
    let anna = world.me("anna").await;
    let mut again = all;
    again[unknown].as_object_mut().unwrap().remove("partyid_contact@odata.bind");
    again[unknown]["partyid_systemuser@odata.bind"] = json!(format!("/systemusers({anna})"));
    put(again).await.refused(400, "0x80040224");
}

#[tokio::test]
async fn a_pending_mail_is_marked_as_sent() {
    let world = World::new().await;
    let id = draft(&world).await;
    let send = format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
    world.post("anna", &send, json!({"IssueSend": true})).await.expect(200);
    assert_eq!(world.row("anna", &format!("emails({id})")).await["statuscode"], 6);
    world.post("anna", &send, json!({"IssueSend": false})).await.expect(200);
    assert_eq!(world.row("anna", &format!("emails({id})")).await["statuscode"], 3);
    world.post("anna", &send, json!({"IssueSend": false})).await.refused(400, "0x80048408");
}

#[tokio::test]
async fn reserved_columns_are_dropped_in_silence_unless_a_mail_is_filed() {
    let world = World::new().await;
    let plain = json!({"subject": "a", "inreplyto": "<x>", "conversationindex": "x", "senton": "2020-01-01T00:00:00Z", "messageid": "<m>"});
    let id = world.make("anna", "emails", plain).await;
    let row = world.row("anna", &format!("emails({id})")).await;
    assert!(
        row["inreplyto"].is_null() && row["senton"].is_null() && row["conversationindex"].is_null()
    );
    assert_eq!(row["messageid"], "<m>");
    let account = world.make("anna", "accounts", json!({"name": "a"})).await;
    let regarding =
        json!({"regardingobjectid_account_email@odata.bind": format!("/accounts({account})")});
    world.patch("anna", &format!("emails({id})"), regarding).await.expect(204);
    let id2 = "aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee";
    let filed = json!({
        "MessageId": "<n>", "Subject": "Re: a", "From": "Stranger <s@example.net>", "To": "anna@example.org; t@example.net", "Cc": "", "Bcc": "",
        "ReceivedOn": "2026-03-01T08:00:00Z", "SubmittedBy": "s@example.net", "Importance": "high", "Body": "<p>x</p>",
        "Attachments": [{"@odata.type": "Microsoft.Dynamics.CRM.activitymimeattachment", "filename": "a.txt", "mimetype": "text/plain", "body": "aGk="}],
        "ExtraProperties": {"@odata.type": "Microsoft.Dynamics.CRM.email", "inreplyto": "<m>"},
    });
    let deliver = format!("emails({id2})/Microsoft.Dynamics.CRM.DeliverPromoteEmail");
    assert_eq!(
        world.post("anna", &deliver, filed.clone()).await.expect(200).json()["EmailId"],
        id2
    );
    world.post("anna", &deliver, filed.clone()).await.refused(412, "0x80040237");
    let row = world.row("anna", &format!("emails({id2})")).await;
    assert_eq!(
        (&row["statuscode"], &row["directioncode"], &row["prioritycode"]),
        (&json!(4), &json!(false), &json!(2))
    );
    assert_eq!(
        (&row["inreplyto"], &row["senton"], &row["attachmentcount"]),
        (&json!("<m>"), &json!("2026-03-01T08:00:00Z"), &json!(1))
    );
    assert_eq!(
        (
            &row["correlationmethod"],
            &row["_regardingobjectid_value"],
            &row["_correlatedactivityid_value"]
        ),
        (&json!(3), &json!(account), &json!(id))
    );
    let mut missing = filed.clone();
    missing.as_object_mut().unwrap().remove("Attachments");
    world
        .post("anna", "emails/Microsoft.Dynamics.CRM.DeliverIncomingEmail", missing)
        .await
        .refused(400, "0x80048d19");
    let again = world
        .post("anna", "emails/Microsoft.Dynamics.CRM.DeliverIncomingEmail", filed)
        .await
        .expect(200)
        .json();
    assert_eq!(again["EmailId"], id2);
}

#[tokio::test]
async fn a_filed_mail_from_the_caller_is_sent() {
    let world = World::new().await;
    let id = "aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeef";
    let filed = json!({"MessageId": "<n>", "Subject": null, "From": "anna@example.org", "To": "t@example.net", "Cc": "", "Bcc": "", "ReceivedOn": "2026-03-01T08:00:00Z",
        "SubmittedBy": "anna@example.org", "Importance": "normal", "Body": "x", "Attachments": []});
    world
        .post("anna", &format!("emails({id})/Microsoft.Dynamics.CRM.DeliverPromoteEmail"), filed)
        .await
        .expect(200);
    let row = world.row("anna", &format!("emails({id})")).await;
    assert_eq!((&row["statuscode"], &row["directioncode"]), (&json!(3), &json!(true)));
    let check = "CheckIncomingEmail(MessageId=@a,Subject=@b,From=@c,To=@d,Cc=@e,Bcc=@f)?@a='<n>'&@b=null&@c='x@y'&@d=''&@e=''&@f=''";
    assert_eq!(world.row("anna", check).await["ShouldDeliver"], false);
}

#[tokio::test]
async fn attachments_have_limits_and_come_in_blocks() {
    let world = World::new().await;
    let id = draft(&world).await;
    let file = |name: &str, body: &str| json!({"filename": name, "body": body, "objectid_email@odata.bind": format!("/emails({id})"), "objecttypecode": "email"});
    world
        .post("anna", "activitymimeattachments", file("virus.EXE", "aGk="))
        .await
        .refused(400, "0x80043e09");
    world
        .post("anna", "activitymimeattachments", file("big.bin", &"A".repeat(7_400_000)))
        .await
        .refused(400, "0x80044a02");
    let mut target = file("a.bin", "");
    target["@odata.type"] = json!("Microsoft.Dynamics.CRM.activitymimeattachment");
    target.as_object_mut().unwrap().remove("body");
    let token = world
        .post("anna", "InitializeAttachmentBlocksUpload", json!({"Target": target}))
        .await
        .expect(200)
        .json()["FileContinuationToken"]
        .clone();
    for (block, data) in [("QQ==", "aGVs"), ("Qg==", "bG8=")] {
        world
            .post(
                "anna",
                "UploadBlock",
                json!({"BlockId": block, "BlockData": data, "FileContinuationToken": token}),
            )
            .await
            .expect(204);
    }
    let commit =
        json!({"Target": target, "BlockList": ["QQ==", "Qg=="], "FileContinuationToken": token});
    let done = world.post("anna", "CommitAttachmentBlocksUpload", commit).await.expect(200).json();
    assert_eq!(done["FileSizeInBytes"], 5);
    let attachment = done["ActivityMimeAttachmentId"].as_str().unwrap();
    assert_eq!(
        world.get("anna", &format!("activitymimeattachments({attachment})/body/$value")).await.text,
        "aGVsbG8="
    );
    let start = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.activitymimeattachment", "activitymimeattachmentid": attachment}});
    let start =
        world.post("anna", "InitializeAttachmentBlocksDownload", start).await.expect(200).json();
    let block = json!({"Offset": 1, "BlockLength": 3, "FileContinuationToken": start["FileContinuationToken"]});
    assert_eq!(world.post("anna", "DownloadBlock", block).await.expect(200).json()["Data"], "ZWxs");
}
