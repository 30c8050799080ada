//! Metadata at run time.

use super::World;
use serde_json::{Value, json};

fn find<'a>(list: &'a Value, name: &str) -> &'a Value {
    list["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["LogicalName"] == name)
        .unwrap_or_else(|| panic!("{name}"))
}

#[tokio::test]
async fn a_definition_tells_set_flags_and_attributes() {
    let world = World::new().await;
    let path = "EntityDefinitions(LogicalName='contact')?$select=EntitySetName,PrimaryIdAttribute,ObjectTypeCode,ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled\
                &$expand=Attributes($select=LogicalName,AttributeType,IsValidForCreate,RequiredLevel)";
    let contact = world.row("anna", path).await;
    assert_eq!(
        (
            &contact["EntitySetName"],
            &contact["ObjectTypeCode"],
            &contact["IsOptimisticConcurrencyEnabled"]
        ),
        (&json!("contacts"), &json!(2), &json!(true))
    );
    let full = contact["Attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["LogicalName"] == "fullname")
        .unwrap();
    assert_eq!(
        (&full["IsValidForCreate"], &full["AttributeType"]),
        (&json!(false), &json!("String"))
    );
    let list = world
        .row(
            "anna",
            "EntityDefinitions?$select=LogicalName,EntitySetName&$filter=LogicalName eq 'task'",
        )
        .await;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert_eq!(list["value"][0]["EntitySetName"], "tasks");
    assert_eq!(world.get("anna", "EntityDefinitions(LogicalName='nonsense')").await.status, 404);
}

#[tokio::test]
async fn lengths_and_options_come_from_typed_casts() {
    let world = World::new().await;
    let base = "EntityDefinitions(LogicalName='task')/Attributes/Microsoft.Dynamics.CRM";
    let texts = world
        .row("anna", &format!("{base}.StringAttributeMetadata?$select=LogicalName,MaxLength"))
        .await;
    assert_eq!(find(&texts, "subject")["MaxLength"], 200);
    let memos = world
        .row("anna", &format!("{base}.MemoAttributeMetadata?$select=LogicalName,MaxLength"))
        .await;
    assert_eq!(find(&memos, "description")["MaxLength"], 2000);
    let picks = world.row("anna", &format!("{base}.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options)")).await;
    let options = &find(&picks, "prioritycode")["OptionSet"]["Options"];
    assert_eq!(
        (&options[2]["Value"], &options[2]["Label"]["UserLocalizedLabel"]["Label"]),
        (&json!(2), &json!("High"))
    );
    let status =
        world.row("anna", &format!("{base}.StatusAttributeMetadata?$expand=OptionSet")).await;
    let completed = find(&status, "statuscode")["OptionSet"]["Options"]
        .as_array()
        .unwrap()
        .iter()
        .find(|option| option["Value"] == 5)
        .unwrap();
    assert_eq!(completed["State"], 1);
    let document = world.get("anna", "$metadata").await.expect(200);
    assert!(document.text.contains(
        "<NavigationProperty Name=\"regardingobjectid_account_task\" Type=\"mscrm.account\"/>"
    ));
}
