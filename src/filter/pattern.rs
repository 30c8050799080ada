//! Whom a rule is about: one address, or everybody at a domain.

use std::fmt;

use crate::model::Address;

/// `anna@example.org`, or `@example.org` for everybody there and at its sub-domains. Knows no case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// `None` for what is neither an address nor a domain behind an `@`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.split_once('@')?;
        let is_name =
            |part: &str| !part.contains(|c: char| c.is_whitespace() || "@,;<>".contains(c));
        let domain_is_whole = !domain.is_empty() && domain.split('.').all(|part| !part.is_empty());
        (is_name(local) && is_name(domain) && domain_is_whole).then_some(Self(text))
    }

    pub fn matches(&self, address: &Address) -> bool {
        let Some(domain) = self.0.strip_prefix('@') else { return self.0 == address.as_str() };
        let Some((_, of)) = address.as_str().rsplit_once('@') else { return false };
        of.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    /// Part of what settings are compared by; who logs settings logs no people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_domain_with_those_below_it() {
        let table = [
            ("Anna@Example.org", "anna@example.org", true),
            ("anna@example.org", "hanna@example.org", false),
            ("@example.org", "anna@example.org", true),
            ("@example.org", "anna@mail.EXAMPLE.org", true),
            ("@example.org", "anna@badexample.org", false),
            ("@example.org", "anna@example.org.evil.net", false),
            ("@example.org", "no address", false),
        ];
        for (pattern, address, matches) in table {
            let found = Pattern::parse(pattern)
                .zip(Address::parse(address))
                .map(|(pattern, address)| pattern.matches(&address));
            assert_eq!(found, Some(matches), "{pattern} {address}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "@", "anna", "example.org", "a@b@c", "@.org", "a@b..c", "a b@c", "@c,d"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}
