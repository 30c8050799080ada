//! What a sync depends on beside both sides, as it was last seen: which computer syncs, whether the state belongs to the
//! configuration, what the user may do, and how much of what may be asked today is used. From the store alone.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::output::Page;
use super::{Exit, budget, kept, pins};
use crate::config::Settings;
use crate::connector::dataverse::Standing;
use crate::model::Class;
use crate::store::spent::Spent;
use crate::store::{self, Connection, meta};

/// See the module.
#[derive(Debug, Default)]
pub struct Circumstances {
    lease: Option<Json>,
    mismatch: Option<pins::Found>,
    standing: Option<Standing>,
    spent: Spent,
    allowed: u64,
}

impl Circumstances {
    /// # Errors
    /// When the store is lost.
    pub fn read(db: &Connection, settings: &Settings, now: Timestamp) -> store::Result<Self> {
        let Some((_, organisation)) = settings.sync_organisation() else {
            return Ok(Self::default());
        };
        let lease = meta::get(db, meta::LEASE)?;
        let by_licence = meta::get(db, meta::BUDGET)?.and_then(|text| text.parse().ok());
        let standing = kept::last_standing(db, &kept::directions(settings))?;
        Ok(Self {
            lease: lease.and_then(|lease| serde_json::from_str(&lease).ok()),
            mismatch: pins::Found::read(db)?,
            standing,
            spent: budget::today(db, organisation.url.as_str(), now)?,
            allowed: organisation
                .requests_per_day
                .or(by_licence)
                .unwrap_or_else(|| Standing::default().budget()),
        })
    }

    /// What goes before everything else that a status could end with.
    pub fn exit(&self) -> Option<Exit> {
        if self.mismatch.is_some() {
            return Some(Exit::Configuration);
        }
        (self.role() == Some("stands-by")).then_some(Exit::Standby)
    }

    fn role(&self) -> Option<&str> {
        self.lease.as_ref()?.get("role")?.as_str()
    }

    fn of_lease(&self, key: &str) -> Option<&str> {
        self.lease.as_ref()?.get(key)?.as_str()
    }

    /// Why a class takes no part, if it does not.
    pub fn off(&self, class: Class) -> Option<String> {
        let standing = self.standing.as_ref()?.of(class);
        if standing.by_server {
            Some("off: the organisation's own server does it".to_owned())
        } else if standing.read {
            None
        } else {
            Some("off: you may not read them in the CRM".to_owned())
        }
    }

    pub fn show(&self, page: &mut Page) {
        match self.role() {
            Some("syncs") => page.line("computer      this one syncs"),
            Some("unprotected") => page.wrapped(
                "computer      ",
                "that this one syncs cannot be written down: your user may not have personal views; \
                 nothing keeps a second computer out",
            ),
            Some("stands-by") => {
                page.wrapped("computer      ", self.of_lease("says").unwrap_or_default());
                page.wrapped("            → ", self.of_lease("hint").unwrap_or_default());
            }
            Some(_) | None => {}
        }
        if self.spent.requests > 0 {
            let of = match self.allowed {
                0 => String::new(),
                allowed => format!(" of {allowed}"),
            };
            page.line(format!("requests      {}{of} today", self.spent.operations));
        }
        if let Some(pins::Found { message, hint }) = &self.mismatch {
            page.gap();
            page.wrapped("✗ ", message);
            page.wrapped("  → ", hint);
        }
        let said = self.standing.iter().flat_map(|standing| &standing.says);
        for (number, said) in said.enumerate() {
            if number == 0 {
                page.gap();
            }
            page.wrapped(if said.bad { "✗ " } else { "! " }, &said.says);
            if let Some(hint) = &said.hint {
                page.wrapped("  → ", hint);
            }
        }
    }

    pub fn instance(&self) -> Json {
        self.lease.clone().unwrap_or_default()
    }

    pub fn mismatch(&self) -> Json {
        let found = self.mismatch.as_ref();
        found.map_or(Json::Null, |found| json!({ "message": found.message, "hint": found.hint }))
    }

    pub fn rights(&self) -> Json {
        self.standing.as_ref().map_or(Json::Null, Standing::to_json)
    }

    pub fn budget(&self) -> Json {
        json!({
            "requests": self.spent.requests,
            "operations": self.spent.operations,
            "allowed": self.allowed,
        })
    }
}
