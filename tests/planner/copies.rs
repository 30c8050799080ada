//! What lies in the mailbox and was made from a record, when that record is not to be seen.

use liaison::model::{Class, Field, Fields, Patch, RecordId, Side, Value, name};
use liaison::plan::Rules;
use uuid::Uuid;

use super::simulation::{ORGANISATION, Simulation, agreed};

/// A file restored from a backup, or imported again: its record was deleted, or has left the filter. It must not come back as
/// a second one.
#[test]
fn a_copy_of_what_came_from_a_record_makes_no_record() {
    let mut simulation = Simulation::new(Class::Contact, Rules::default());
    let fields = Fields::from([(Field::of("lastname"), Value::Text("Berg".to_owned()))]);
    let id = simulation.put(Side::Mailbox, "berg", fields);
    assert_eq!(simulation.plan().len(), 1, "what a person made goes to the CRM");
    let item = simulation.items.get_mut(&id).unwrap();
    item.uid = name::item_uid(ORGANISATION, Uuid::from_u128(7));
    assert_eq!(simulation.plan().len(), 0, "what was made from a record does not");
    let item = simulation.items.get_mut(&id).unwrap();
    item.uid = name::item_uid(Uuid::from_u128(8), Uuid::from_u128(7));
    assert_eq!(simulation.plan().len(), 1, "another organisation's record is nothing to this one");
}

/// A card was deleted here, and another installation, which had lost what it knew, made it anew from the record.
#[test]
fn what_was_made_anew_from_a_record_is_the_other_half_of_its_pair() {
    let mut simulation = Simulation::new(Class::Contact, Rules::default());
    let fields = Fields::from([(Field::of("lastname"), Value::Text("Berg".to_owned()))]);
    let old = simulation.put(Side::Mailbox, "berg", fields.clone());
    let record = simulation.put(Side::Crm, "berg", fields.clone());
    let link = agreed(&mut simulation, &old, &record, Side::Mailbox);
    for is_released in [false, true] {
        simulation.items.clear();
        if is_released {
            simulation.settle(3);
        }
        let guid = RecordId::parse(&record).unwrap().guid;
        let new = simulation.put(Side::Mailbox, "new", fields.clone());
        simulation.items.get_mut(&new).unwrap().uid = name::item_uid(ORGANISATION, guid);
        simulation.settle(3);
        let phone = Field::of("telephone1");
        let patch = Patch::from([(phone.clone(), Some(Value::Text("7".to_owned())))]);
        simulation.edit(Side::Crm, &record, &patch);
        simulation.settle(3);
        assert_eq!(simulation.items[&new].fields.get(&phone), patch[&phone].as_ref());
        assert_eq!(simulation.links[&link].item, new);
        simulation.records.get_mut(&record).unwrap().fields.remove(&phone);
    }
}
