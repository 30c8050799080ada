//! The tracking token: a few signs in the subject by which a reply is known even when its `References` got lost. Made of a
//! prefix and digits, as the documentation of `email.trackingtoken` has it (`CRM:0001006`).

/// The longest subject that a token may be added to, token included, in UTF-16 units: `MaximumSubjectLengthOnMailServer`.
const LONGEST_SUBJECT: usize = 255;

/// Fewer digits make no token: `CRM:24` may be a word of a person.
const FEWEST: usize = 4;

/// `trackingtoken` holds 50 characters.
const LONGEST: usize = 50;

/// How tokens look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What stands before the digits, 1 to 20 characters.
    pub prefix: String,
    /// How many digits a new one has.
    pub digits: u8,
    /// Whether messages that we send get one.
    pub write: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self { prefix: "CRM:".to_owned(), digits: 7, write: false }
    }
}

impl Form {
    /// The tokens in a subject, in their order, as they would stand in `trackingtoken`.
    pub fn find(&self, subject: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = subject;
        while let Some(at) = find_ascii(rest, &self.prefix) {
            rest = rest.get(at + self.prefix.len()..).unwrap_or_default();
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            let digits = rest.get(..length).unwrap_or_default();
            if length >= FEWEST && self.prefix.len() + length <= LONGEST {
                found.push(format!("{}{digits}", self.prefix));
            }
        }
        found
    }

    /// The token of a record: always the same one.
    pub fn of(&self, record: uuid::Uuid) -> String {
        let digits = usize::from(self.digits);
        let number = record.as_u128() % 10_u128.saturating_pow(u32::from(self.digits));
        format!("{}{number:0digits$}", self.prefix)
    }

    /// A subject with a token at its end, cut where both together would be too long.
    pub fn append(&self, subject: &str, token: &str) -> String {
        if self.find(subject).iter().any(|has| has == token) {
            return subject.to_owned();
        }
        let room = LONGEST_SUBJECT.saturating_sub(token.encode_utf16().count() + 1);
        let mut length = 0;
        let cut: String = subject
            .chars()
            .take_while(|character| {
                length += character.len_utf16();
                length <= room
            })
            .collect();
        format!("{} {token}", cut.trim_end()).trim_start().to_owned()
    }
}

/// Where `word` stands in `text`; ASCII letters know no case.
fn find_ascii(text: &str, word: &str) -> Option<usize> {
    let first = word.bytes().next()?;
    let starts = text.bytes().enumerate().filter(|(_, byte)| byte.eq_ignore_ascii_case(&first));
    starts.map(|(at, _)| at).find(|at| {
        let part = text.get(*at..).and_then(|rest| rest.get(..word.len()));
        part.is_some_and(|part| part.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_found_wherever_they_stand() {
        let table: [(&str, &[&str]); 7] = [
            ("Re: Offer CRM:0001006", &["CRM:0001006"]),
            ("AW: crm:0001006 Angebot", &["CRM:0001006"]),
            ("CRM:0001006CRM:0001007", &["CRM:0001006", "CRM:0001007"]),
            ("Our CRM: 0001006", &[]),
            ("CRM:24 seats", &[]),
            ("größer CRM:12345é", &["CRM:12345"]),
            ("", &[]),
        ];
        for (subject, tokens) in table {
            assert_eq!(Form::default().find(subject), tokens, "{subject}");
        }
    }

    proptest! {
        #[test]
        fn what_is_appended_is_found_and_fits(
            subject in "\\PC{0,300}", record: u128, digits in 4_u8..20, prefix in "[A-Za-z#:]{1,20}",
        ) {
            let form = Form { prefix, digits, write: true };
            let token = form.of(uuid::Uuid::from_u128(record));
            let whole = form.append(&subject, &token);
            prop_assert!(form.find(&whole).contains(&token), "{whole}");
            prop_assert!(whole.encode_utf16().count() <= LONGEST_SUBJECT.max(subject.encode_utf16().count()));
            prop_assert_eq!(form.append(&whole, &token), whole);
        }

        #[test]
        fn any_subject_can_be_searched(subject in "\\PC*", prefix in "\\PC{0,20}") {
            let form = Form { prefix, digits: 7, write: false };
            form.find(&subject);
        }
    }
}
