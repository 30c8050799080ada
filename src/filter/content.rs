//! How much of a message may go into the CRM. Must not know how a message is read or filed: it sees its head and where it lies.

use super::folder::Folder;
use super::pattern::Pattern;
use crate::model::{Content, Field, Value};

/// What is filed of a message. Each keeps what those before it keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Keep {
    /// Who wrote to whom, when, and the subject.
    Headers,
    /// Also the body, as plain text.
    Text,
    /// Also the body as it was written, and the attachments.
    #[default]
    All,
}

/// How much is filed of which messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The first that matches decides.
    pub rules: Vec<Rule>,
    /// What is filed where no rule matches.
    pub otherwise: Keep,
}

/// One rule: all of its conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub folder: Option<Folder>,
    pub from: Option<Pattern>,
    /// `Sensitivity` says personal, private or confidential.
    pub private: bool,
    pub keep: Keep,
}

impl Rule {
    fn matches(&self, folder: &str, message: &Content) -> bool {
        let from = || match message.fields.get(&Field::of("from")) {
            Some(Value::People(people)) => people.iter().map(|person| &person.address).collect(),
            _ => Vec::new(),
        };
        self.folder.as_ref().is_none_or(|own| own.holds(folder))
            && self.from.as_ref().is_none_or(|own| from().into_iter().any(|from| own.matches(from)))
            && (!self.private || message.traits.private)
    }
}

impl Policy {
    /// What is filed of a message in this folder, by what its head says.
    pub fn keep(&self, folder: &str, message: &Content) -> Keep {
        let rule = self.rules.iter().find(|rule| rule.matches(folder, message));
        rule.map_or(self.otherwise, |rule| rule.keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Fields, People, Person, Traits, Uid};

    fn message(from: &str, private: bool) -> Content {
        let address = Address::parse(from).unwrap();
        let person = Person { name: String::new(), address };
        let fields =
            Fields::from([(Field::of("from"), Value::People(People::from_iter([person])))]);
        let traits = Traits { private, ..Traits::default() };
        Content { uid: Uid::new("a@b"), fields, traits }
    }

    fn rule(keep: Keep) -> Rule {
        Rule { folder: None, from: None, private: false, keep }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = Policy {
            rules: vec![
                Rule { private: true, ..rule(Keep::Headers) },
                Rule { from: Pattern::parse("@Bank.example"), ..rule(Keep::Text) },
                Rule { from: Pattern::parse("eve@x.org"), ..rule(Keep::Headers) },
            ],
            otherwise: Keep::All,
        };
        for (from, private, keep) in [
            ("a@bank.example", true, Keep::Headers),
            ("A@BANK.example", false, Keep::Text),
            ("a@mail.bank.example", false, Keep::Text),
            ("a@otherbank.example", false, Keep::All),
            ("eve@x.org", false, Keep::Headers),
            ("steve@x.org", false, Keep::All),
        ] {
            assert_eq!(policy.keep("INBOX", &message(from, private)), keep, "{from}");
        }
    }

    #[test]
    fn all_conditions_of_a_rule_hold() {
        let folder = Some(Folder { name: "Bank".to_owned(), subfolders: true });
        let both = Rule { folder, from: Pattern::parse("a@x.org"), ..rule(Keep::Headers) };
        assert!(both.matches("Bank", &message("a@x.org", false)));
        assert!(!both.matches("Bank", &message("b@x.org", false)));
        assert!(!both.matches("INBOX", &message("a@x.org", false)));
        for none in ["", "a", "a@", "@", "a b@c@d"] {
            assert_eq!(Pattern::parse(none), None, "{none}");
        }
    }
}
