//! Faults on order: what a test wants to go wrong with the next requests.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Orders that may wait.
const MAX_ORDERS: usize = 1000;

/// An order: what shall happen to which requests, and how often.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub fault: Fault,
    /// How many requests it hits.
    #[serde(default = "once")]
    pub count: u32,
    /// How many matching requests pass before.
    #[serde(default)]
    pub skip: u32,
    /// Only requests of this user.
    #[serde(default)]
    pub user: Option<String>,
    /// Only requests of this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose path and options hold this text.
    #[serde(default)]
    pub path: Option<String>,
    /// Hits single operations of batches instead of whole requests: `status` and `torn-page` only, outside of change sets.
    #[serde(default)]
    pub inside: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// This status with an error body of the service, instead of the work.
    Status {
        status: u16,
        #[serde(default)]
        code: String,
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// A page of HTML with this status, as gateways answer.
    Html { status: u16 },
    /// 401 with plain text.
    Unauthorized,
    /// The work is done and the connection broken before the reply.
    DropReply,
    /// The connection is broken before the work.
    DropRequest,
    /// The work is done and the reply broken off in the middle.
    CutReply,
    /// The reply waits.
    Delay { milliseconds: u64 },
    /// Of the rows of an operation's answer, the second half is missing, and more pages are promised.
    TornPage,
}

fn once() -> u32 {
    1
}

/// The orders that wait.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<Order>);

impl Faults {
    /// Adds an order; `false` if too many wait.
    pub fn add(&mut self, order: Order) -> bool {
        let room = self.0.len() < MAX_ORDERS;
        if room {
            self.0.push_back(order);
        }
        room
    }

    /// Forgets all orders.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What waits.
    pub fn waiting(&self) -> Vec<&Order> {
        self.0.iter().collect()
    }

    /// The fault for this request, if one is ordered: of the first order that matches.
    pub fn next(&mut self, user: &str, method: &str, path: &str) -> Option<Fault> {
        self.take(user, method, path, false)
    }

    /// The fault for this operation of a batch.
    pub fn inside(&mut self, user: &str, method: &str, path: &str) -> Option<Fault> {
        self.take(user, method, path, true)
    }

    fn take(&mut self, user: &str, method: &str, path: &str, inside: bool) -> Option<Fault> {
        let matches = |order: &Order| {
            order.inside == inside
                && order.user.as_deref().is_none_or(|wanted| wanted == user)
                && order.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && order.path.as_deref().is_none_or(|wanted| path.contains(wanted))
        };
        let position = self.0.iter().position(matches)?;
        let order = self.0.get_mut(position)?;
        if order.skip > 0 {
            order.skip -= 1;
            return None;
        }
        let fault = order.fault.clone();
        order.count = order.count.saturating_sub(1);
        if order.count == 0 {
            self.0.remove(position);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_hits_what_it_names_as_often_as_it_says() {
        let mut faults = Faults::default();
        let order: Order = serde_json::from_str(
            r#"{"fault": "drop-reply", "count": 2, "skip": 1, "path": "$batch"}"#,
        )
        .unwrap();
        assert!(faults.add(order));
        let hits: Vec<bool> = ["$batch", "contacts", "$batch", "$batch", "$batch"]
            .map(|path| faults.next("anna", "POST", path).is_some())
            .to_vec();
        assert_eq!(hits, [false, false, true, true, false]);
    }

    #[test]
    fn an_order_for_operations_does_not_hit_requests() {
        let mut faults = Faults::default();
        let order = r#"{"fault": "torn-page", "path": "contacts?", "inside": true}"#;
        assert!(faults.add(serde_json::from_str(order).unwrap()));
        assert!(faults.next("anna", "GET", "contacts?fetchXml=").is_none());
        assert!(faults.inside("anna", "GET", "tasks?fetchXml=").is_none());
        assert!(faults.inside("anna", "GET", "contacts?fetchXml=").is_some());
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Order>(r#"{"fault": "drop-reply", "counts": 2}"#).is_err());
        assert!(
            serde_json::from_str::<Order>(
                r#"{"fault": {"status": {"status": 503, "retry_after": 1}}}"#
            )
            .is_ok()
        );
    }
}
