//! Which rows the copy holds: the offline filters of the organisation (its own and the user's) and those of the configuration form
//! a union for each table; a table without any gets a default. Pure.

use std::collections::BTreeMap;

/// What the user chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// The tables, by their logical names.
    pub tables: Vec<String>,
    /// The user's own filters, in `FetchXML`, by table.
    pub filters: BTreeMap<String, Vec<String>>,
}

/// What hangs on other rows and has no filter of its own: the notes on all that the copy holds.
pub const NOTES: &str = "annotation";

/// The column in which a note says what it is on.
pub const NOTE_ON: &str = "objectid";

/// The filters of a table: those that somebody made, else the default one. None for a table that nobody made any for and that has
/// no default.
pub fn of(table: &str, chosen: &Chosen, found: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let made = [found.get(table), chosen.filters.get(table)];
    let made: Vec<String> = made.into_iter().flatten().flatten().cloned().collect();
    if made.is_empty() { usual(table).into_iter().collect() } else { made }
}

/// One's own active rows; of what has a time, what is near.
fn usual(table: &str) -> Option<String> {
    let own = r#"<condition attribute="ownerid" operator="eq-userid"/>"#;
    let state = |codes: &str| {
        let values: String =
            codes.split(' ').map(|code| format!("<value>{code}</value>")).collect();
        format!(r#"<condition attribute="statecode" operator="in">{values}</condition>"#)
    };
    let near = r#"<filter type="or"><condition attribute="scheduledend" operator="last-x-days" value="30"/><condition attribute="scheduledstart" operator="next-x-days" value="90"/></filter>"#;
    let late = r#"<condition attribute="createdon" operator="last-x-days" value="30"/>"#;
    let conditions = match table {
        "contact" | "account" | "lead" | "opportunity" | "task" => format!("{own}{}", state("0")),
        "appointment" => format!("{own}{}{near}", state("0 3")),
        "email" => format!("{own}{late}"),
        _ => return None,
    };
    Some(format!(
        r#"<fetch><entity name="{table}"><filter type="and">{conditions}</filter></entity></fetch>"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_made_takes_the_place_of_the_default() {
        let mut chosen = Chosen::default();
        let none = BTreeMap::new();
        assert!(of("contact", &chosen, &none)[0].contains("eq-userid"));
        assert!(of("phonecall", &chosen, &none).is_empty());
        chosen.filters.insert("contact".to_owned(), vec!["mine".to_owned()]);
        let found = BTreeMap::from([("contact".to_owned(), vec!["theirs".to_owned()])]);
        assert_eq!(of("contact", &chosen, &found), ["theirs", "mine"]);
    }
}
