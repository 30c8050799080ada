use bytes::Bytes;
use serde_json::json;

use super::*;

fn reply(body: &Json) -> Reply {
    Reply::One(Answer { status: 200, headers: vec![], body: Bytes::from(body.to_string()) })
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn answers(table: Table) -> Vec<Reply> {
    let attribute = |name: &str, kind: &str, update: bool| {
        json!({
            "LogicalName": name, "AttributeType": kind, "IsValidForCreate": true, "IsValidForUpdate": update, "IsValidForRead": true,
        })
    };
    vec![
        reply(&json!({
            "EntitySetName": format!("{}s", table.logical_name()),
            "PrimaryIdAttribute": table.id_column(),
            "IsOptimisticConcurrencyEnabled": {"Value": true, "CanBeChanged": false},
            "Attributes": [attribute("subject", "String", true), attribute("description", "Memo", true), attribute("messageid", "String", false)],
        })),
        reply(
            &json!({"value": [{"LogicalName": "subject", "MaxLength": 200}, {"LogicalName": "unknown", "MaxLength": 1}]}),
        ),
        reply(&json!({"value": [{"LogicalName": "description", "MaxLength": 2000}]})),
        reply(
            &json!({"value": [{"LogicalName": "statecode", "OptionSet": {"Options": [{"Value": 0, "DefaultStatus": 7}]}}]}),
        ),
        reply(
            &json!({"value": [{"LogicalName": "statuscode", "OptionSet": {"Options": [{"Value": 5, "State": 1}]}}]}),
        ),
    ]
}

#[test]
fn metadata_survive_being_kept_but_not_a_change_of_organisation() {
    let organisation = Uuid::from_u128(1);
    let replies: Vec<Reply> = Table::ALL.into_iter().flat_map(answers).collect();
    assert_eq!(replies.len(), Metadata::questions().len());
    let metadata = Metadata::read(organisation, &replies, now()).unwrap();
    assert_eq!(metadata.lengths().get(&(Table::Task, "subject".to_owned())), Some(&200));
    assert_eq!(metadata.lengths().get(&(Table::Email, "description".to_owned())), Some(&2000));
    let task = metadata.of(Table::Task);
    assert!(task.versioned && task.takes("messageid", true) && !task.takes("messageid", false));
    assert!(task.takes("ownerid@odata.bind", false));
    assert_eq!(task.open(Table::Task), State { statecode: 0, statuscode: 7 });
    assert_eq!(task.state_of(5), Some(1));
    let kept = metadata.to_json();
    assert_eq!(Metadata::kept(&kept, organisation), Some(metadata));
    assert_eq!(Metadata::kept(&kept, Uuid::from_u128(2)), None);
    assert_eq!(
        Metadata::kept(
            &json!({"organisation": organisation.to_string(), "tables": {}}),
            organisation
        ),
        None
    );
    assert_eq!(Metadata::kept(&json!(7), organisation), None);
}

#[test]
fn options_may_be_missing_but_not_lengths() {
    let refusal = || Reply::One(Answer { status: 501, headers: vec![], body: Bytes::new() });
    let read = |place: usize| {
        let mut replies: Vec<Reply> = Table::ALL.into_iter().flat_map(answers).collect();
        replies[place] = refusal();
        Metadata::read(Uuid::nil(), &replies, now())
    };
    assert!(read(0).is_err() && read(1).is_err() && read(2).is_err());
    // The task's states.
    assert_eq!(read(8).unwrap().of(Table::Task).open(Table::Task).statuscode, 2);
    assert!(read(9).is_ok());
    assert!(Metadata::read(Uuid::nil(), &answers(Table::Contact), now()).is_err());
}

#[test]
fn a_set_name_that_would_lead_elsewhere_is_refused() {
    let mut replies: Vec<Reply> = Table::ALL.into_iter().flat_map(answers).collect();
    replies[0] = reply(
        &json!({"EntitySetName": "../x?", "PrimaryIdAttribute": "contactid", "Attributes": []}),
    );
    assert_eq!(
        Metadata::read(Uuid::nil(), &replies, now()).unwrap_err().kind,
        ErrorKind::Malformed
    );
}
