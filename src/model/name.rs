//! Names that both sides can compute, so that a create is safe to repeat on any machine without any memory.

use uuid::Uuid;

use super::fields::Address;
use super::item::Uid;
use super::record::Table;

/// The root of every derived id. Changing it would make every installation forget what it created.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_3c1e_86a5_5b53_9a3c_2d1f_5e0b_7a41);

/// The GUID of the record that an item becomes in this table.
///
/// Attendees of one meeting compute one id from its `UID`, and colleagues one from a mail's `Message-ID`; contacts and
/// tasks are the mailbox's own, so its address is part of their name. An item that was made from a record
/// (see [`item_uid`]) leads back to that record: a copy never makes a second one. All activities share one space of ids,
/// so a series and the single appointment it once was must not have the same.
pub fn record_guid(organisation: Uuid, table: Table, mailbox: &Address, uid: &Uid) -> Uuid {
    if let Some(guid) = born_in_crm(organisation, uid) {
        return guid;
    }
    let name = match table {
        Table::Contact | Table::Task => format!("{}\n{mailbox}\n{uid}", table.logical_name()),
        Table::Appointment | Table::RecurringAppointmentMaster | Table::Email => {
            format!("{}\n{uid}", table.logical_name())
        }
    };
    Uuid::new_v5(&space(organisation), name.as_bytes())
}

/// The GUID of the contact or lead that is made for somebody whom the CRM did not know: one for an address, whoever meets it
/// first.
pub fn newcomer_guid(organisation: Uuid, table: &str, address: &Address) -> Uuid {
    Uuid::new_v5(&space(organisation), format!("{table} for\n{address}").as_bytes())
}

/// The GUID of the row that says which installation of this user syncs.
pub fn lease_guid(organisation: Uuid, user: Uuid) -> Uuid {
    Uuid::new_v5(&space(organisation), format!("sync instance of\n{user}").as_bytes())
}

/// The GUID for an appointment that changes its table: from a single one to a series, or back.
pub fn converted_guid(organisation: Uuid, table: Table, old: Uuid) -> Uuid {
    Uuid::new_v5(
        &space(organisation),
        format!("{} instead of\n{old}", table.logical_name()).as_bytes(),
    )
}

fn space(organisation: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, organisation.as_bytes())
}

/// The UID of the item that a record becomes: it carries the record's GUID and the organisation.
pub fn item_uid(organisation: Uuid, record: Uuid) -> Uid {
    Uid::new(format!("{record}@{organisation}.liaison"))
}

/// The record an item was made from, if it was made from one of this organisation.
pub fn born_in_crm(organisation: Uuid, uid: &Uid) -> Option<Uuid> {
    let (record, host) = uid.as_str().split_once('@')?;
    let of = Uuid::parse_str(host.strip_suffix(".liaison")?).ok()?;
    (of == organisation).then(|| Uuid::parse_str(record).ok()).flatten()
}
