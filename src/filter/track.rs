//! Which contacts, tasks and appointments of the mailbox are tracked. Nothing goes to the CRM merely by being there,
//! unless the user said so. Must not know where an item lies or whether it is linked already: a link stays.

use crate::model::{Class, Content};

use super::{Decision, Mark, PRIVATE, TRACKED_CATEGORY};

/// How the user wants items of a class to be tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub track: Track,
    /// The category that tracks an item, compared without case.
    pub category: String,
    /// Whether rules may track private items (`CLASS:PRIVATE`, `CONFIDENTIAL`).
    pub include_private: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            track: Track::Category,
            category: TRACKED_CATEGORY.to_owned(),
            include_private: false,
        }
    }
}

/// What tracks an item besides the user's word for it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Nothing.
    Manual,
    /// The category of [`Policy::category`].
    Category,
    /// That it is there.
    All,
}

/// Decides over one item: the user's mark, then privacy, then the category, then `all`; the first that matches.
pub fn decide(class: Class, content: &Content, mark: Option<Mark>, policy: &Policy) -> Decision {
    if let Some(mark) = mark {
        return Decision::marked(mark);
    }
    if content.traits.private && !policy.include_private {
        return Decision::skipped(PRIVATE);
    }
    let wanted = policy.category.trim().to_lowercase();
    let categorised = !wanted.is_empty()
        && content.traits.categories.iter().any(|has| has.trim().to_lowercase() == wanted);
    match policy.track {
        Track::Category | Track::All if categorised => {
            Decision::tracked(format!("category `{}`", policy.category.trim()))
        }
        Track::All => Decision::tracked(format!("every {class} is tracked")),
        Track::Category => {
            Decision::skipped(format!("not in category `{}`", policy.category.trim()))
        }
        Track::Manual => Decision::skipped("you did not track it"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Traits, Uid};

    fn item(categories: &[&str], private: bool) -> Content {
        let categories = categories.iter().map(|&category| category.to_owned()).collect();
        let traits = Traits { categories, private, ..Traits::default() };
        Content { uid: Uid::new("a"), fields: crate::model::Fields::new(), traits }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use Mark::{Tracked, Untracked};
        use Track::{All, Category, Manual};
        let marked = ["tracked to crm ", "Friends"].as_slice();
        // mark, categories, private, include private, policy → tracked, rule
        let table = [
            (Some(Tracked), [].as_slice(), true, false, Manual, true, "you track it"),
            (Some(Untracked), marked, false, true, All, false, "you untracked it"),
            (None, marked, true, false, All, false, "private items stay out"),
            (None, marked, true, true, Category, true, "category `Tracked to CRM`"),
            (None, marked, false, false, Category, true, "category `Tracked to CRM`"),
            (None, marked, false, false, All, true, "category `Tracked to CRM`"),
            (None, marked, false, false, Manual, false, "you did not track it"),
            (None, &["Friends"], false, false, All, true, "every task is tracked"),
            (None, &["Friends"], true, true, All, true, "every task is tracked"),
            (None, &["Tracked"], false, false, Category, false, "not in category `Tracked to CRM`"),
            (None, &[], false, false, Manual, false, "you did not track it"),
        ];
        for (mark, categories, private, include_private, track, tracked, rule) in table {
            let policy = Policy { track, include_private, ..Policy::default() };
            let decision = decide(Class::Task, &item(categories, private), mark, &policy);
            assert_eq!(decision, Decision { tracked, rule: rule.to_owned() }, "{mark:?} {track:?}");
        }
    }

    #[test]
    fn the_category_can_have_another_name_and_never_matches_when_empty() {
        let policy = |category: &str| Policy { category: category.to_owned(), ..Policy::default() };
        let item = item(&["KUNDE Ä", ""], false);
        assert!(decide(Class::Contact, &item, None, &policy("kunde ä")).tracked);
        assert!(!decide(Class::Contact, &item, None, &policy("  ")).tracked);
    }

    proptest! {
        #[test]
        fn every_item_gets_one_decision_and_always_the_same(
            categories in proptest::collection::btree_set(".{0,12}|(?i)tracked to crm", 0..4),
            private: bool,
            include_private: bool,
            mark in proptest::option::of(prop_oneof![Just(Mark::Tracked), Just(Mark::Untracked)]),
            track in prop_oneof![Just(Track::Manual), Just(Track::Category), Just(Track::All)],
        ) {
            let categories: Vec<&str> = categories.iter().map(String::as_str).collect();
            let item = item(&categories, private);
            let policy = Policy { track, include_private, ..Policy::default() };
            for class in Class::ALL {
                let decision = decide(class, &item, mark, &policy);
                prop_assert_eq!(&decision, &decide(class, &item, mark, &policy));
                prop_assert!(!decision.rule.is_empty());
                // Only the user's own word lets a private item out.
                prop_assert!(!(decision.tracked && private && !include_private && mark.is_none()));
            }
        }
    }
}
