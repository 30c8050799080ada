//! The settings that decisions follow, for one class.

use std::collections::BTreeMap;

use crate::model::Class;
use crate::model::Side;
use crate::model::fields::{Direction, Field, field_rules};

/// How one class is kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Which way the class as a whole travels.
    pub direction: Direction,
    /// Which way each field travels, where that differs from [`field_rules`].
    pub fields: BTreeMap<String, Direction>,
    pub conflict: ConflictPolicy,
    /// What follows when an item was deleted in the mailbox.
    pub deleted_in_mailbox: DeleteRule,
    /// What follows when a record was deleted in the CRM.
    pub deleted_in_crm: DeleteRule,
    pub on_leave: OnLeave,
}

/// Who wins when both sides changed one field differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictPolicy {
    Crm,
    Mailbox,
    /// Nobody, until a person says so.
    Ask,
}

/// What follows a deletion on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteRule {
    /// The other side is deleted too.
    Propagate,
    /// The other side stays, the link is released.
    Keep,
    /// By the class: see [`super::decide`].
    ByClass,
}

/// What becomes of the item when its record leaves the sync filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLeave {
    Keep,
    /// The item is removed, unless it is a meeting with attendees.
    Remove,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            direction: Direction::TwoWay,
            fields: BTreeMap::new(),
            conflict: ConflictPolicy::Crm,
            deleted_in_mailbox: DeleteRule::ByClass,
            deleted_in_crm: DeleteRule::ByClass,
            on_leave: OnLeave::Keep,
        }
    }
}

impl Rules {
    /// Whether a change of this field made on `from` goes to the other side.
    pub fn carries(&self, class: Class, field: &Field, from: Side) -> bool {
        let name = field.rule_name();
        let direction = self.fields.get(name).copied().or_else(|| {
            field_rules(class).iter().find(|rule| rule.name == name).map(|rule| rule.direction)
        });
        self.direction.carries(from) && direction.is_some_and(|direction| direction.carries(from))
    }
}
