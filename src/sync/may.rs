//! What the user may do with the records of a class. What goes beyond it stays out of a plan: it is neither tried and refused
//! each round nor taken for settled, so that it goes as soon as the right is there.

use crate::model::Side;
use crate::plan::operation::Kind;
use crate::plan::{Action, Merge, Step};

/// The writes that the user has a right to. Reading goes without saying: a class that cannot be read does not take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct May {
    pub create: bool,
    pub write: bool,
    pub delete: bool,
}

impl Default for May {
    fn default() -> Self {
        Self { create: true, write: true, delete: true }
    }
}

impl May {
    fn allows(self, kind: Kind) -> bool {
        match kind {
            Kind::Create => self.create,
            Kind::Update => self.write,
            Kind::Delete => self.delete,
        }
    }

    /// The steps without what may not be written to the CRM, and how many lost something.
    pub(super) fn within(self, steps: Vec<Step>) -> (Vec<Step>, usize) {
        if self == Self::default() {
            return (steps, 0);
        }
        let (mut left, mut withheld) = (Vec::new(), 0);
        for step in steps {
            match step.write_to(Side::Crm) {
                Some(kind) if !self.allows(kind) => {
                    withheld += 1;
                    left.extend(without_record(step));
                }
                Some(_) | None => left.push(step),
            }
        }
        (left, withheld)
    }
}

/// What is left of a step: what goes to the mailbox, where that stands on its own.
fn without_record(step: Step) -> Option<Step> {
    match step.action {
        Action::Merge(Merge { to_item: Some(to_item), settled, .. }) if step.link.is_some() => {
            let merge = Merge { to_item: Some(to_item), to_record: None, settled };
            Some(Step { action: Action::Merge(merge), ..step })
        }
        _ => None,
    }
}
