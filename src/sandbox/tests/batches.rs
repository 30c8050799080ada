//! `$batch`.

use super::{Answer, World};
use serde_json::json;
use std::fmt::Write as _;

/// A batch of parts, each `(method, url, headers, body)`.
fn multipart(parts: &[(&str, String, &str, String)]) -> String {
    let mut body = String::new();
    for (method, url, headers, json) in parts {
        write!(body, "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{method} {url} HTTP/1.1\r\n{headers}Content-Type: application/json; type=entry\r\n\r\n{json}\r\n").unwrap();
    }
    body + "--b--\r\n"
}

fn change_set(parts: &[(&str, &str, String)]) -> String {
    let mut body = String::from("--b\r\nContent-Type: multipart/mixed; boundary=\"c\"\r\n\r\n");
    for (index, (method, url, json)) in parts.iter().enumerate() {
        let id = index + 1;
        write!(body, "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n{method} {url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json}\r\n").unwrap();
    }
    body + "--c--\r\n--b--\r\n"
}

async fn send(world: &World, body: String, prefer: &str) -> Answer {
    let request = world
        .client
        .post(world.url("$batch"))
        .bearer_auth(world.running.token("anna").unwrap())
        .header("Content-Type", "multipart/mixed; boundary=\"b\"")
        .header("Prefer", prefer)
        .body(body);
    super::read(request.send().await.unwrap()).await
}

fn statuses(answer: &Answer) -> Vec<u16> {
    answer
        .text
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok())
        .collect()
}

#[tokio::test]
async fn parts_run_in_order_and_go_on_after_an_error_if_asked() {
    let world = World::new().await;
    let parts = [
        ("POST", world.url("contacts"), "", json!({"lastname": "a"}).to_string()),
        ("POST", "/api/data/v9.2/contacts".to_owned(), "", json!({"nonsense": 1}).to_string()),
        ("GET", "contacts?$select=lastname".to_owned(), "", String::new()),
    ];
    let answer = send(&world, multipart(&parts), "odata.continue-on-error").await.expect(200);
    assert_eq!(statuses(&answer), [204, 400, 200]);
    assert!(answer.text.contains("0x80048d19") && answer.text.contains("\"lastname\":\"a\""));
    let answer = send(&world, multipart(&parts), "").await.expect(400);
    assert_eq!(statuses(&answer), [204, 400]);
    assert_eq!(world.get("anna", "contacts/$count").await.text, "2");
    let lines = multipart(&parts).replace("\r\n", "\n");
    assert_eq!(statuses(&send(&world, lines, "odata.continue-on-error").await), [204, 400, 200]);
}

#[tokio::test]
async fn a_change_set_is_all_or_nothing_and_refers_to_itself() {
    let world = World::new().await;
    let task = |bind: &str| {
        json!({"subject": "t", "regardingobjectid_contact_task@odata.bind": bind}).to_string()
    };
    let good = change_set(&[
        ("POST", "/api/data/v9.2/contacts", json!({"lastname": "a"}).to_string()),
        ("POST", "/api/data/v9.2/tasks", task("$1")),
        ("PATCH", "$2", json!({"description": "d"}).to_string()),
    ]);
    let answer = send(&world, good, "").await.expect(200);
    assert_eq!(statuses(&answer), [204, 204, 204]);
    let rows =
        world.row("anna", "tasks?$expand=regardingobjectid_contact_task($select=lastname)").await;
    assert_eq!(
        (
            &rows["value"][0]["description"],
            &rows["value"][0]["regardingobjectid_contact_task"]["lastname"]
        ),
        (&json!("d"), &json!("a"))
    );
    let bad = change_set(&[
        ("POST", "/api/data/v9.2/contacts", json!({"lastname": "b"}).to_string()),
        ("POST", "/api/data/v9.2/contacts", json!({"lastname": "b".repeat(99)}).to_string()),
    ]);
    let answer = send(&world, bad, "odata.continue-on-error").await.expect(200);
    assert_eq!(statuses(&answer), [400]);
    let unknown = change_set(&[("POST", "/api/data/v9.2/tasks", task("$7"))]);
    let answer = send(&world, unknown, "").await.expect(400);
    assert!(
        answer.text.contains("Content-ID Reference: '$7' does not exist in the batch context.")
    );
    assert_eq!(world.get("anna", "contacts/$count").await.text, "1");
}

#[tokio::test]
async fn what_a_batch_may_not_hold_is_refused() {
    let world = World::new().await;
    let nested = [("POST", "/api/data/v9.2/$batch".to_owned(), "", String::new())];
    send(&world, multipart(&nested), "").await.refused(400, "0x80048d19");
    send(&world, change_set(&[("GET", "/api/data/v9.2/contacts", String::new())]), "")
        .await
        .refused(400, "0x80048d19");
    let many = vec![("GET", "contacts".to_owned(), "", String::new()); 1001];
    send(&world, multipart(&many), "").await.refused(400, "0x80040203");
    send(&world, "nonsense".to_owned(), "").await.refused(400, "0x80048d19");
}

#[tokio::test]
async fn a_thousand_creates_are_one_request_and_quick() {
    let world = World::new().await;
    let parts: Vec<_> = (0..1000)
        .map(|number| ("POST", "/api/data/v9.2/contacts".to_owned(), "If-None-Match: null\r\n", json!({"firstname": "Ada", "lastname": format!("L{number}"), "emailaddress1": format!("l{number}@example.org")}).to_string()))
        .collect();
    let answer = send(&world, multipart(&parts), "odata.continue-on-error").await.expect(200);
    assert_eq!(statuses(&answer), vec![204; 1000]);
    let counted = world.admin(reqwest::Method::GET, "requests", None).await.json();
    assert_eq!(
        (&counted["users"]["anna"]["batch"], &counted["users"]["anna"]["operations"]),
        (&json!(1), &json!(1000))
    );
    let audit = world.admin(reqwest::Method::GET, "audit", None).await.json();
    assert_eq!(
        (&audit["tables"]["contact"]["rows"], &audit["tables"]["contact"]["repeated"]),
        (&json!(1000), &json!([]))
    );
}
