//! What lies in the mailbox and was made from a record, when that record is not to be seen.

use liaison::model::{Class, Field, Fields, Side, Value, name};
use liaison::plan::Rules;
use uuid::Uuid;

use super::simulation::{ORGANISATION, Simulation};

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
