//! What a path names: a table, a row, a property, a collection, a function or an action. It reads
//! the path only; whether the thing exists is for the operation to say.

use crate::sandbox::record::reference::{self, Key};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Table};
use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug)]
pub(super) enum Target {
    /// The service document.
    Service,
    /// `$metadata`
    Metadata,
    /// `EntityDefinitions…`, with the decoded segments.
    Definitions(Vec<String>),
    /// A table.
    Set(&'static Table),
    /// `…/$count`
    Count(&'static Table),
    /// A row.
    Row(&'static Table, Key),
    /// Something of a row: a property or navigation property and what follows it (`$value`, `$ref`,
    /// `$count`).
    Part { table: &'static Table, key: Key, name: String, rest: Vec<String> },
    /// A function or action, bound to a row, to a table or to nothing.
    Call { bound: Option<(&'static Table, Option<Key>)>, name: String, arguments: String },
}

/// The name space of bound functions and actions.
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";
/// Segments that a path may have; the longest documented has five.
const MAX_SEGMENTS: usize = 8;

/// Reads a percent-encoded path below `/api/data/v9.x/`.
pub(super) fn parse(path: &str) -> Result<Target, Refusal> {
    let segments = segments(path)?;
    let Some((first, rest)) = segments.split_first() else { return Ok(Target::Service) };
    if first == "$metadata" {
        return Ok(Target::Metadata);
    }
    let (name, inner) = parenthesised(first);
    if name == "EntityDefinitions"
        || name == "GlobalOptionSetDefinitions"
        || name == "RelationshipDefinitions"
    {
        return Ok(Target::Definitions(segments));
    }
    match schema::by_set(name) {
        Some(table) => below(table, inner, rest),
        None if rest.is_empty() => {
            let name = name.strip_prefix(NAMESPACE).unwrap_or(name);
            Ok(Target::Call {
                bound: None,
                name: name.to_owned(),
                arguments: inner.unwrap_or_default().to_owned(),
            })
        }
        None => Err(Refusal::no_resource(name)),
    }
}

fn below(table: &'static Table, inner: Option<&str>, rest: &[String]) -> Result<Target, Refusal> {
    let key = inner.map(|inner| reference::key(table, inner)).transpose()?;
    let Some((second, more)) = rest.split_first() else {
        return Ok(match key {
            Some(key) => Target::Row(table, key),
            None => Target::Set(table),
        });
    };
    let (name, arguments) = parenthesised(second);
    if let Some(call) = name.strip_prefix(NAMESPACE).filter(|_| more.is_empty()) {
        let arguments = arguments.unwrap_or_default().to_owned();
        return Ok(Target::Call { bound: Some((table, key)), name: call.to_owned(), arguments });
    }
    match key {
        Some(key) => Ok(Target::Part { table, key, name: second.clone(), rest: more.to_vec() }),
        None if second == "$count" && more.is_empty() => Ok(Target::Count(table)),
        None => Err(Refusal::no_resource(second)),
    }
}

/// `name(inner)` or `name`.
pub(super) fn parenthesised(segment: &str) -> (&str, Option<&str>) {
    match segment.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (segment, None),
    }
}

/// Splits at slashes outside parentheses and decodes.
fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let bad = || Refusal::new(400, refusal::NO_RESOURCE, "The URL is not well formed.");
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| bad())?;
    let mut depth = 0_u32;
    let mut quoted = false;
    let parts = decoded.split(move |letter: char| {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '/' && depth == 0 && !quoted
    });
    let segments: Vec<String> = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if segments.len() > MAX_SEGMENTS { Err(bad()) } else { Ok(segments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-4000-8000-00000000000a";

    #[test]
    fn paths_are_told_apart() {
        assert!(matches!(parse("").unwrap(), Target::Service));
        assert!(
            matches!(parse("contacts").unwrap(), Target::Set(table) if table.logical == "contact")
        );
        assert!(matches!(parse("contacts/$count").unwrap(), Target::Count(_)));
        assert!(matches!(
            parse(&format!("contacts%28{ID}%29")).unwrap(),
            Target::Row(_, Key::Guid(_))
        ));
        assert!(matches!(
            parse("contacts(emailaddress1='a%2Fb')").unwrap(),
            Target::Row(_, Key::Alternate(_))
        ));
        let part = parse(&format!("contacts({ID})/parentcustomerid_account/$ref")).unwrap();
        assert!(
            matches!(part, Target::Part { name, rest, .. } if name == "parentcustomerid_account" && rest == ["$ref"])
        );
        let call = parse(&format!(
            "systemusers({ID})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@p1)"
        ))
        .unwrap();
        assert!(
            matches!(call, Target::Call { bound: Some((_, Some(_))), name, arguments } if name == "RetrievePrincipalAccess" && arguments == "Target=@p1")
        );
        assert!(matches!(parse("WhoAmI()").unwrap(), Target::Call { bound: None, .. }));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(parse("persons/1").unwrap_err().status, 404);
        assert!(parse("contacts(nonsense)").is_err());
        assert!(parse("a/b/c/d/e/f/g/h/i").is_err());
        assert!(parse("%ff").is_err());
    }
}
