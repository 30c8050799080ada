//! Who takes part in an activity, and the files that belong to one.

use super::activities::{INSTANCE_TYPE, flag, number, pick, text, time};
use super::{Column, Draft, Flags, Kind, Ownership};

/// Who may stand in a party.
pub(super) const PARTIES: &[&str] = &["account", "contact", "lead", "queue", "systemuser"];

pub(super) fn party() -> Draft {
    let columns = vec![
        Column::new(
            "activityid",
            Kind::Lookup {
                targets: &[
                    "email",
                    "appointment",
                    "recurringappointmentmaster",
                    "task",
                    "phonecall",
                    "activitypointer",
                ],
            },
        )
        .read_only(),
        Column::new("partyid", Kind::Lookup { targets: PARTIES }),
        text("partyidname", 400).read_only(),
        pick(
            "participationtypemask",
            &[
                (1, "Sender"),
                (2, "To Recipient"),
                (3, "CC Recipient"),
                (4, "BCC Recipient"),
                (5, "Required attendee"),
                (6, "Optional attendee"),
                (7, "Organizer"),
                (8, "Regarding"),
                (9, "Owner"),
                (10, "Resource"),
                (11, "Customer"),
            ],
        ),
        text("addressused", 200),
        number("addressusedemailcolumnnumber", 1, 1_000_000_000).read_only(),
        text("exchangeentryid", 1024),
        flag("ispartydeleted").read_only(),
        flag("donotemail").read_only(),
        flag("donotphone").read_only(),
        flag("donotfax").read_only(),
        flag("donotpostalmail").read_only(),
        pick("instancetypecode", INSTANCE_TYPE).read_only(),
        time("scheduledstart").read_only(),
        time("scheduledend").read_only(),
    ];
    Draft {
        logical: "activityparty",
        schema: "ActivityParty",
        set: "activityparties",
        code: 135,
        id: "activitypartyid",
        primary_name: "partyidname",
        columns,
        collections: &[],
        ownership: Ownership::Parent,
        privilege: "Activity",
        keys: &[],
        flags: Flags::default(),
    }
}

pub(super) fn attachment() -> Draft {
    let columns = vec![
        text("subject", 2000),
        text("filename", 255),
        text("mimetype", 256),
        Column::new("body", Kind::Binary),
        number("filesize", 0, 1_000_000_000).read_only(),
        number("attachmentnumber", 0, 1_000_000_000),
        text("attachmentcontentid", 256),
        flag("isfollowed"),
        Column::new("attachmentid", Kind::Guid),
        Column::new("objecttypecode", Kind::EntityName).create_only(),
        Column::new("activitysubject", Kind::Text { max: 200 }).read_only(),
        Column::new(
            "objectid",
            Kind::Lookup {
                targets: &["email", "appointment", "recurringappointmentmaster", "activitypointer"],
            },
        )
        .create_only(),
    ];
    Draft {
        logical: "activitymimeattachment",
        schema: "ActivityMimeAttachment",
        set: "activitymimeattachments",
        code: 1001,
        id: "activitymimeattachmentid",
        primary_name: "filename",
        columns,
        collections: &[],
        ownership: Ownership::Parent,
        privilege: "Activity",
        keys: &[],
        flags: Flags { offline: true, optimistic: true, ..Flags::default() },
    }
}
