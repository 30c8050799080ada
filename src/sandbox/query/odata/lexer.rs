//! Tokens of `$filter`, with parameter aliases replaced by the tokens of their values.

use super::super::QueryError;
use super::Aliases;

/// Most tokens of one expression.
const MAX_TOKENS: usize = 20_000;

/// A token and where it begins, in characters.
#[derive(Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) position: usize,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, keyword, number, GUID or date: whatever has no quotes.
    Word(String),
    /// In single or double quotes.
    Text(String),
    /// `( ) , / : = [ ]`
    Sign(char),
}

/// Splits an expression.
pub(super) fn tokens(text: &str, aliases: &Aliases) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    for token in scan(text)? {
        match &token.kind {
            // An alias without a value is null
            // (https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview).
            Kind::Word(word) if word.starts_with('@') => {
                let value = aliases.get(word).map_or("null", String::as_str);
                let inner = scan(value)?;
                if inner
                    .iter()
                    .any(|token| matches!(&token.kind, Kind::Word(word) if word.starts_with('@')))
                {
                    return Err(QueryError::odata(format!(
                        "The parameter alias '{word}' refers to another alias."
                    )));
                }
                let position = token.position;
                tokens.extend(inner.into_iter().map(|inner| Token { position, ..inner }));
            }
            _ => tokens.push(token),
        }
        if tokens.len() > MAX_TOKENS {
            return Err(QueryError::odata("The expression is too long."));
        }
    }
    Ok(tokens)
}

fn scan(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().enumerate().peekable();
    while let Some((position, found)) = rest.next() {
        let kind = match found {
            space if space.is_whitespace() => continue,
            '(' | ')' | ',' | '/' | ':' | '=' | '[' | ']' => Kind::Sign(found),
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, c)) if c == found => {
                            if found == '\'' && rest.next_if(|(_, c)| *c == '\'').is_some() {
                                value.push('\'');
                            } else {
                                break;
                            }
                        }
                        Some((_, c)) => value.push(c),
                        None => {
                            return Err(QueryError::odata(format!(
                                "There is an unterminated string literal at position {} in '{text}'.",
                                text.chars().count()
                            )));
                        }
                    }
                }
                Kind::Text(value)
            }
            '@' | '_' | '-' | '+' => word(found, &mut rest),
            other if other.is_alphanumeric() => word(other, &mut rest),
            other => {
                return Err(QueryError::odata(format!(
                    "Syntax error: character '{other}' is not valid at position {position} in '{text}'."
                )));
            }
        };
        tokens.push(Token { kind, position });
    }
    Ok(tokens)
}

fn word(first: char, rest: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>) -> Kind {
    // `10:00:00+02:00` is one word, `p:p/name` is not.
    let digit = first.is_ascii_digit();
    let mut word = String::from(first);
    while let Some((_, c)) = rest.next_if(|(_, c)| {
        c.is_alphanumeric() || matches!(c, '_' | '.' | '-') || (digit && matches!(c, ':' | '+'))
    }) {
        word.push(c);
    }
    Kind::Word(word)
}
