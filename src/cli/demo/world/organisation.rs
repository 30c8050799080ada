//! Puts the records into the organisation, once. It must not know what they say.

use anyhow::Result;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::api::{Api, User};
use super::records;

/// Where they all work, by its `timezonecode`: the CRM counts the days of a series in the zone of its owner.
const BERLIN: i64 = 110;

/// What the organisation was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Populated {
    /// Whether it was given now: otherwise all was there and stayed as it was.
    pub fresh: bool,
    /// Entity set and how many rows, in the order in which they are made.
    pub counts: Vec<(&'static str, usize)>,
}

/// Fills the organisation with the records of Anna and her colleagues. What is there already is left alone; once all was there, nothing is made again,
/// not even what was deleted since.
///
/// # Errors
/// When the organisation cannot be asked, or refuses a row.
pub async fn populate(api: &Api, now: Timestamp) -> Result<Populated> {
    let [anna, bo, carla] =
        [api.who(User::Anna).await?, api.who(User::Bo).await?, api.who(User::Carla).await?];
    let users = records::Users { anna: anna.user, bo: bo.user, carla: carla.user };
    let rows = records::rows(anna.organisation, users, &now.to_zoned(TimeZone::UTC));
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for row in &rows {
        match counts.iter_mut().find(|(set, _)| *set == row.set) {
            Some((_, count)) => *count += 1,
            None => counts.push((row.set, 1)),
        }
    }
    let fresh = match rows.last() {
        // The last row is the proof that all were made.
        Some(last) => {
            !api.has(last.owner, &format!("{}({})?$select={}", last.set, last.id, last.key)).await?
        }
        None => false,
    };
    if fresh {
        for (user, id) in
            [(User::Anna, users.anna), (User::Bo, users.bo), (User::Carla, users.carla)]
        {
            let settings = format!("usersettingscollection({id})");
            api.change(user, &settings, &json!({ "timezonecode": BERLIN })).await?;
        }
        api.create(&rows).await?;
    }
    Ok(Populated { fresh, counts })
}

#[cfg(test)]
mod tests;
