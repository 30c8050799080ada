//! The Web API of the organisation as people's own programs use it: each with the token of one user, a plain request at a time or many in a `$batch`
//! (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api>). Independent of the program's own
//! connector on purpose. It must not know what the rows mean.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Below the demo's directory.
const ORGANISATION: &str = "organisation";
/// Rows in one batch: the service allows 1000 operations, and a row may be two.
const ROWS_IN_BATCH: usize = 100;

/// The organisation, seen by several users.
pub struct Api {
    client: reqwest::Client,
    /// Ends without a slash.
    root: String,
    tokens: BTreeMap<String, String>,
}

/// Somebody who has a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    Anna,
    Bo,
    Carla,
}

impl User {
    pub const ALL: [Self; 3] = [Self::Anna, Self::Bo, Self::Carla];

    /// The name of the token's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anna => "anna",
            Self::Bo => "bo",
            Self::Carla => "carla",
        }
    }
}

/// Whose token it is, and of which organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    pub user: Uuid,
    pub organisation: Uuid,
}

/// A row that somebody makes under an id of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub owner: User,
    /// Entity set.
    pub set: &'static str,
    /// The column of its id.
    pub key: &'static str,
    pub id: Uuid,
    pub columns: Map<String, Json>,
    /// `statecode` and `statuscode` that it is given once it is there: rows are made open.
    pub state: Option<(i32, i32)>,
}

impl Api {
    /// The organisation whose address is in `dir/organisation/url` and whose tokens are in `dir/organisation/tokens`.
    ///
    /// # Errors
    /// When one of these files cannot be read.
    pub fn open(dir: &Path, client: reqwest::Client) -> Result<Self> {
        let read = |path: &Path| -> Result<String> {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok(text.trim().to_owned())
        };
        let base = dir.join(ORGANISATION);
        let url = read(&base.join("url"))?;
        let token = |user: User| {
            Ok((user.name().to_owned(), read(&base.join("tokens").join(user.name()))?))
        };
        let tokens = User::ALL.into_iter().map(token).collect::<Result<_>>()?;
        Ok(Self { client, root: format!("{}/api/data/v9.2", url.trim_end_matches('/')), tokens })
    }

    /// `WhoAmI`.
    ///
    /// # Errors
    /// When the organisation cannot be asked or refuses.
    pub async fn who(&self, user: User) -> Result<Who> {
        let answer = self.get(user, "WhoAmI").await?;
        let id = |name: &str| -> Result<Uuid> {
            let text = answer
                .get(name)
                .and_then(Json::as_str)
                .with_context(|| format!("WhoAmI without {name}"))?;
            Ok(Uuid::parse_str(text)?)
        };
        Ok(Who { user: id("UserId")?, organisation: id("OrganizationId")? })
    }

    /// Reads what stands at a path below the Web API.
    ///
    /// # Errors
    /// When the organisation cannot be asked or refuses.
    pub async fn get(&self, user: User, path: &str) -> Result<Json> {
        let (status, body) = self.send(self.request(user, Method::GET, path)).await?;
        if !status.is_success() {
            bail!("the organisation refused to show {}: {status} {}", set(path), excerpt(&body));
        }
        Ok(serde_json::from_str(&body)?)
    }

    /// Whether there is such a row.
    ///
    /// # Errors
    /// When the organisation cannot be asked, or refuses with anything but *not found*.
    pub async fn has(&self, user: User, path: &str) -> Result<bool> {
        let (status, body) = self.send(self.request(user, Method::GET, path)).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => {
                bail!("the organisation refused to show {}: {status} {}", set(path), excerpt(&body))
            }
        }
    }

    /// Changes columns of a row that is there (`If-Match: *`).
    ///
    /// # Errors
    /// When the organisation cannot be asked or refuses.
    pub async fn change(&self, user: User, path: &str, columns: &Json) -> Result<()> {
        let request = self.request(user, Method::PATCH, path).header("If-Match", "*").json(columns);
        let (status, body) = self.send(request).await?;
        if !status.is_success() {
            bail!(
                "the organisation refused to change a row of {}: {status} {}",
                set(path),
                excerpt(&body)
            );
        }
        Ok(())
    }

    /// Deletes a row; one that is gone already is as good.
    ///
    /// # Errors
    /// When the organisation cannot be asked or refuses.
    pub async fn delete(&self, user: User, path: &str) -> Result<()> {
        let (status, body) = self.send(self.request(user, Method::DELETE, path)).await?;
        if !status.is_success() && status != StatusCode::NOT_FOUND {
            bail!(
                "the organisation refused to delete a row of {}: {status} {}",
                set(path),
                excerpt(&body)
            );
        }
        Ok(())
    }

    /// Makes the rows in their order, each by its owner; those that are there already stay as they are.
    ///
    /// # Errors
    /// When the organisation cannot be asked, or refuses a row.
    pub async fn create(&self, rows: &[Row]) -> Result<()> {
        for run in rows.chunk_by(|one, next| one.owner == next.owner) {
            for rows in run.chunks(ROWS_IN_BATCH) {
                self.create_batch(rows).await?;
            }
        }
        Ok(())
    }

    async fn create_batch(&self, rows: &[Row]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let mut body = String::new();
        for (number, row) in rows.iter().enumerate() {
            self.write_row(&mut body, number, row)?;
        }
        body.push_str("--batch_demo--\r\n");
        let request = self
            .request(first.owner, Method::POST, "$batch")
            .header("Content-Type", "multipart/mixed; boundary=\"batch_demo\"")
            .header("Prefer", "odata.continue-on-error")
            .body(body);
        let (status, answer) = self.send(request).await?;
        if !status.is_success() {
            bail!("the organisation refused a batch: {status} {}", excerpt(&answer));
        }
        judge(&answer, rows.len())
    }

    /// A row is a change set: it is made and given its state together or not at all.
    fn write_row(&self, body: &mut String, number: usize, row: &Row) -> Result<()> {
        let address = format!("{}/{}({})", self.root, row.set, row.id);
        write!(
            body,
            "--batch_demo\r\nContent-Type: multipart/mixed; boundary=\"changeset_{number}\"\r\n\r\n"
        )?;
        let mut operation = |id: usize, line: &str, header: &str, json: &Json| {
            write!(
                body,
                "--changeset_{number}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n\
                 {line} HTTP/1.1\r\n{header}Content-Type: application/json; type=entry\r\n\r\n{json}\r\n"
            )
        };
        if row.columns.values().any(Json::is_array) {
            // Rows with others inside are made by POST, which takes the id from the body and refuses one that exists.
            let mut columns = row.columns.clone();
            columns.insert(row.key.to_owned(), row.id.to_string().into());
            operation(1, &format!("POST {}/{}", self.root, row.set), "", &Json::Object(columns))?;
        } else {
            operation(
                1,
                &format!("PATCH {address}"),
                "If-None-Match: *\r\n",
                &Json::Object(row.columns.clone()),
            )?;
        }
        if let Some((state, status)) = row.state {
            let json = serde_json::json!({ "statecode": state, "statuscode": status });
            operation(2, &format!("PATCH {address}"), "If-Match: *\r\n", &json)?;
        }
        write!(body, "--changeset_{number}--\r\n")?;
        Ok(())
    }

    fn request(&self, user: User, method: Method, path: &str) -> RequestBuilder {
        let token = self.tokens.get(user.name()).map(String::as_str).unwrap_or_default();
        self.client
            .request(method, format!("{}/{path}", self.root))
            .bearer_auth(token)
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
            .header("OData-MaxVersion", "4.0")
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, String)> {
        let answer = request.send().await.context("the organisation does not answer")?;
        let status = answer.status();
        Ok((status, answer.text().await.context("the organisation's answer broke off")?))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({})", self.root)
    }
}

/// One answer a row, or one an operation of it; a row that is there already (412) is welcome.
fn judge(answer: &str, rows: usize) -> Result<()> {
    let mut answers = 0;
    for (at, _) in answer.match_indices("HTTP/1.1 ") {
        let rest = answer.get(at..).unwrap_or_default();
        let code = rest
            .split_whitespace()
            .nth(1)
            .and_then(|code| code.parse::<u16>().ok())
            .unwrap_or_default();
        if !(200..300).contains(&code) && code != 412 {
            let part = rest.split("\r\n--").next().unwrap_or_default();
            bail!("the organisation refused a row: {}", excerpt(part));
        }
        answers += 1;
    }
    if answers < rows {
        bail!("the organisation answered {answers} of {rows} rows");
    }
    Ok(())
}

/// What of a path may be said: the entity set.
fn set(path: &str) -> &str {
    path.split(['(', '?']).next().unwrap_or_default()
}

fn excerpt(text: &str) -> String {
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_there_is_welcome_and_a_refusal_is_not() {
        let ok = "--b\r\nHTTP/1.1 204 No Content\r\n\r\n--b\r\nHTTP/1.1 412 Precondition Failed\r\n\r\n{}\r\n--b--";
        assert!(judge(ok, 2).is_ok());
        assert!(judge(ok, 3).is_err());
        let refused =
            format!("{ok}\r\nHTTP/1.1 400 Bad Request\r\n\r\n{{\"error\":\"why\"}}\r\n--b--");
        assert!(judge(&refused, 2).unwrap_err().to_string().contains("why"));
    }
}
