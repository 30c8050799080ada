//! Tokens, limits, faults, restart, TLS and the page.

use super::{World, read};
use crate::sandbox::{Error, Options, Sandbox};
use reqwest::Method;
use serde_json::json;
use std::net::SocketAddr;

#[tokio::test]
async fn a_wrong_token_is_told_so_in_plain_text() {
    let world = World::new().await;
    for request in [
        world.client.get(world.url("WhoAmI")),
        world.client.get(world.url("WhoAmI")).bearer_auth("wrong"),
    ] {
        let answer = read(request.send().await.unwrap()).await.expect(401);
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    let admin = world
        .client
        .get(format!("{}/sandbox/requests", world.running.url))
        .bearer_auth(world.running.token("anna").unwrap());
    assert_eq!(admin.send().await.unwrap().status().as_u16(), 401);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private_and_name_the_url() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let mode = |name: &str| {
        std::fs::metadata(world.directory.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(""), mode("tokens"), mode("tokens/anna"), mode("url")),
        (0o700, 0o700, 0o600, 0o600)
    );
    let url = std::fs::read_to_string(world.directory.path().join("url")).unwrap();
    assert_eq!(url.trim(), world.running.url);
}

#[tokio::test]
async fn a_restart_keeps_rows_tokens_and_versions() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "a"})).await;
    let (token, before) =
        (world.running.token("anna"), world.row("anna", &format!("contacts({id})")).await);
    let World { running, directory, client, clock } = world;
    running.stop().await.unwrap();
    let mut options = Options::new(directory.path());
    options.seed = Some(1);
    options.clock = clock.clone();
    let running = Sandbox::start(options).await.unwrap();
    assert_eq!(running.token("anna"), token);
    let world = World { running, directory, client, clock };
    let mut after = world.row("anna", &format!("contacts({id})")).await;
    after["@odata.context"] = before["@odata.context"].clone();
    assert_eq!(after, before);
    let other = world.make("anna", "contacts", json!({"lastname": "b"})).await;
    assert_ne!(other, id);
    let newer =
        world.row("anna", &format!("contacts({other})")).await["versionnumber"].as_i64().unwrap();
    assert!(newer > before["versionnumber"].as_i64().unwrap());
}

#[tokio::test]
async fn the_budget_is_kept_and_says_when_to_come_back() {
    let world = World::with(|options| options.throttle = Some(2)).await;
    assert_eq!(
        world
            .get("anna", "WhoAmI")
            .await
            .expect(200)
            .header("x-ms-ratelimit-burst-remaining-xrm-requests"),
        "1"
    );
    world.get("anna", "WhoAmI").await.expect(200);
    let throttled = world.get("anna", "WhoAmI").await;
    throttled.refused(429, "0x80072322");
    assert_eq!(throttled.header("Retry-After"), "300");
    world.get("bo", "WhoAmI").await.expect(200);
    world.clock.advance(300);
    world.get("anna", "WhoAmI").await.expect(200);
    let counted = world.admin(Method::GET, "requests", None).await.json();
    assert_eq!(
        (&counted["users"]["anna"]["plain"], &counted["users"]["anna"]["throttled"]),
        (&json!(3), &json!(1))
    );
}

#[tokio::test]
async fn faults_happen_as_ordered() {
    let world = World::new().await;
    let order = |fault| world.admin(Method::POST, "faults", Some(fault));
    order(json!({"fault": {"status": {"status": 503, "retry_after": 2}}, "count": 2}))
        .await
        .expect(204);
    for _ in 0..2 {
        assert_eq!(world.get("anna", "WhoAmI").await.expect(503).header("Retry-After"), "2");
    }
    order(json!({"fault": {"html": {"status": 502}}})).await.expect(204);
    assert!(world.get("anna", "WhoAmI").await.expect(502).text.starts_with("<html>"));
    order(json!({"fault": "unauthorized"})).await.expect(204);
    world.get("anna", "WhoAmI").await.expect(401);
    order(json!({"fault": "drop-reply", "method": "POST"})).await.expect(204);
    let token = world.running.token("anna").unwrap();
    let create = || {
        world
            .client
            .post(world.url("contacts"))
            .bearer_auth(&token)
            .json(&json!({"lastname": "a"}))
            .send()
    };
    assert!(create().await.is_err());
    assert_eq!(world.get("anna", "contacts/$count").await.text, "1");
    order(json!({"fault": "drop-request", "method": "POST"})).await.expect(204);
    assert!(create().await.is_err());
    assert_eq!(world.get("anna", "contacts/$count").await.text, "1");
    order(json!({"fault": "cut-reply"})).await.expect(204);
    let cut = world.client.get(world.url("$metadata")).bearer_auth(&token).send().await;
    assert!(match cut {
        Ok(response) => response.text().await.is_err(),
        Err(_) => true,
    });
    order(json!({"fault": "nonsense"})).await.expect(400);
    world.admin(Method::POST, "expire", Some(json!({"user": "anna"}))).await.expect(204);
    assert_eq!(
        world
            .client
            .get(world.url("WhoAmI"))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        401
    );
    let file = std::fs::read_to_string(world.directory.path().join("tokens/anna")).unwrap();
    assert_eq!(
        world
            .client
            .get(world.url("WhoAmI"))
            .bearer_auth(file.trim())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn the_page_shows_the_rows_and_escapes_them() {
    let world = World::new().await;
    let id = world.make("anna", "contacts", json!({"lastname": "<script>"})).await;
    let page = read(world.client.get(&world.running.url).send().await.unwrap()).await.expect(200);
    assert!(
        page.text.contains("Sandbox organisation")
            && page.text.contains("Contacts: 1")
            && page.text.contains("Anna Andersson")
    );
    assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script>"));
    let record = read(
        world
            .client
            .get(format!("{}/records/contacts/{id}", world.running.url))
            .send()
            .await
            .unwrap(),
    )
    .await
    .expect(200);
    assert!(record.text.contains("lastname"));
    let elsewhere =
        world.client.get(&world.running.url).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(elsewhere.status().as_u16(), 403);
}

#[tokio::test]
async fn only_loopback_is_served_and_only_plain_names_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(Sandbox::start(options).await.unwrap_err().to_string().contains("loopback"));
    let mut options = Options::new(directory.path());
    options.users[0].name = "../x".to_owned();
    assert!(Sandbox::start(options).await.unwrap_err().to_string().contains("../x"));
}

#[tokio::test]
async fn tls_is_spoken_with_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut options = Options::new(&directory.path().join("organisation"));
    options.certificate = Some((certificate, key));
    let running = Sandbox::start(options).await.unwrap();
    drop(super::client());
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let url = format!("{}/api/data/v9.2/WhoAmI", running.url);
    assert!(url.starts_with("https://localhost:"));
    let answer =
        read(client.get(url).bearer_auth(running.token("anna").unwrap()).send().await.unwrap())
            .await
            .expect(200);
    assert!(answer.json()["@odata.context"].as_str().unwrap().starts_with("https://"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn one_organisation_has_one_server() {
    let world = World::new().await;
    let options = Options::new(world.directory.path());
    assert!(matches!(Sandbox::start(options).await, Err(Error::Database(_))));
    world.get("anna", "WhoAmI").await.expect(200);
}
