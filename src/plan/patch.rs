//! What becomes of a person's edit when somebody else changed the row meanwhile: column by column, against what stood there when
//! the edit was made. Nobody's word is lost: what both changed differently is handed back as a collision.

use serde_json::Value as Json;

use crate::model::row::{Change, Edits, Values, same};

/// An edit after a look at the row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    /// What is still to be written; its base is what stands there now.
    pub rest: Edits,
    /// What both changed differently: what stands there stays.
    pub collisions: Vec<Collision>,
}

/// A column that two people changed differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Collision {
    pub column: String,
    pub change: Change,
    pub theirs: Json,
}

/// Merges an edit with the row as it is now.
pub fn merge(edits: &Edits, theirs: &Values) -> Merged {
    let mut merged = Merged::default();
    for (column, change) in edits {
        let now = theirs.get(column).cloned().unwrap_or(Json::Null);
        if same(&now, &change.ours) {
            continue;
        }
        if same(&now, &change.base) {
            let change = Change { base: now, ours: change.ours.clone() };
            merged.rest.insert(column.clone(), change);
        } else {
            let (column, change) = (column.clone(), change.clone());
            merged.collisions.push(Collision { column, change, theirs: now });
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_column_goes_its_own_way() {
        let change = |base: &str, ours: &str| Change { base: json!(base), ours: json!(ours) };
        let edits = Edits::from([
            ("untouched".to_owned(), change("a", "b")),
            ("agreed".to_owned(), change("a", "b")),
            ("contested".to_owned(), change("a", "b")),
            ("emptied".to_owned(), change("a", "")),
        ]);
        let theirs = Values::from([
            ("untouched".to_owned(), json!("a")),
            ("agreed".to_owned(), json!("b")),
            ("contested".to_owned(), json!("c")),
            ("emptied".to_owned(), Json::Null),
            ("other".to_owned(), json!("x")),
        ]);
        let merged = merge(&edits, &theirs);
        assert_eq!(merged.rest.keys().collect::<Vec<_>>(), ["untouched"]);
        let collisions: Vec<(&str, &Json)> =
            merged.collisions.iter().map(|found| (found.column.as_str(), &found.theirs)).collect();
        assert_eq!(collisions, [("contested", &json!("c"))]);
    }
}
