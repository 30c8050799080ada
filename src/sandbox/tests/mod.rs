//! The organisation over real HTTP, as a client sees it.

use super::clock::Clock;
use super::{Options, Running, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

mod batches;
mod calendar;
mod emails;
mod feeds;
mod metadata;
mod privileges;
mod records;
mod serving;

/// 2026-03-02T10:00:00Z, a Monday.
const NOW: i64 = 1_772_445_600;

/// A served organisation with a clock that stands still.
struct World {
    running: Running,
    directory: tempfile::TempDir,
    client: reqwest::Client,
    clock: Clock,
}

/// An answer, read whole.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error code.
    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    /// The GUID that a write named.
    fn id(&self) -> String {
        let address = self.header("OData-EntityId");
        assert!(!address.is_empty(), "no id: {self:?}");
        address.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
    }
}

fn client() -> reqwest::Client {
    // Another test may have been first: either way there is a provider then.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let mut options = Options::new(directory.path());
        options.clock = clock.clone();
        options.seed = Some(1);
        change(&mut options);
        let running = Sandbox::start(options).await.unwrap();
        Self { running, directory, client: client(), clock }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/data/v9.2/{path}", self.running.url)
    }

    async fn send(
        &self,
        user: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, self.url(path))
            .bearer_auth(self.running.token(user).unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    async fn get(&self, user: &str, path: &str) -> Answer {
        self.send(user, Method::GET, path, &[], None).await
    }

    async fn post(&self, user: &str, path: &str, body: Value) -> Answer {
        self.send(user, Method::POST, path, &[], Some(body)).await
    }

    async fn patch(&self, user: &str, path: &str, body: Value) -> Answer {
        self.send(user, Method::PATCH, path, &[("If-Match", "*")], Some(body)).await
    }

    async fn delete(&self, user: &str, path: &str) -> Answer {
        self.send(user, Method::DELETE, path, &[], None).await
    }

    /// Creates a row and returns its GUID.
    async fn make(&self, user: &str, set: &str, body: Value) -> String {
        self.post(user, set, body).await.expect(204).id()
    }

    /// The row, or a panic.
    async fn row(&self, user: &str, path: &str) -> Value {
        self.get(user, path).await.expect(200).json()
    }

    async fn me(&self, user: &str) -> String {
        self.row(user, "WhoAmI").await["UserId"].as_str().unwrap().to_owned()
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}/sandbox/{path}", self.running.url);
        let mut request =
            self.client.request(method, url).bearer_auth(self.running.token("admin").unwrap());
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// Ids of a listing, sorted.
fn ids(list: &Value, key: &str) -> Vec<String> {
    let mut ids: Vec<String> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[key].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn appointment(subject: &str) -> Value {
    json!({"subject": subject, "scheduledstart": "2026-03-03T09:00:00Z", "scheduledend": "2026-03-03T10:00:00Z"})
}
