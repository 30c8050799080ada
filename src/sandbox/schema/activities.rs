//! The activities, the union over them, their parties and their attachments.

use super::parties::{PARTIES, attachment, party};
use super::{Collection, Column, Draft, Flags, Kind, Ownership};

pub(super) fn tables() -> Vec<Draft> {
    vec![email(), appointment(), series(), task(), phonecall(), pointer(), party(), attachment()]
}

/// What an activity may be about.
const REGARDING: &[&str] = &["account", "contact", "lead", "opportunity"];

const ACTIVITY: Flags = Flags {
    activity: true,
    change_tracking: false,
    optimistic: true,
    offline: true,
    notes: true,
    duplicates: false,
};

const PRIORITY: &[(i32, &str)] = &[(0, "Low"), (1, "Normal"), (2, "High")];
pub(super) const INSTANCE_TYPE: &[(i32, &str)] = &[
    (0, "Not Recurring"),
    (1, "Recurring Master"),
    (2, "Recurring Instance"),
    (3, "Recurring Exception"),
    (4, "Recurring Future Exception"),
];
const CLOSABLE: &[(i32, &str)] = &[(0, "Open"), (1, "Completed"), (2, "Canceled")];
const SCHEDULED: &[(i32, &str)] =
    &[(0, "Open"), (1, "Completed"), (2, "Canceled"), (3, "Scheduled")];
const APPOINTMENT_STATUS: &[(i32, i32, &str)] = &[
    (1, 0, "Free"),
    (2, 0, "Tentative"),
    (3, 1, "Completed"),
    (4, 2, "Canceled"),
    (5, 3, "Busy"),
    (6, 3, "Out of Office"),
];

const ANY_INT: Kind = Kind::Integer { min: 0, max: i32::MAX as i64 };

pub(super) const fn text(name: &'static str, max: u32) -> Column {
    Column::new(name, Kind::Text { max })
}

pub(super) const fn time(name: &'static str) -> Column {
    Column::new(name, Kind::DateTime)
}

pub(super) const fn flag(name: &'static str) -> Column {
    Column::new(name, Kind::Boolean)
}

pub(super) const fn number(name: &'static str, min: i64, max: i64) -> Column {
    Column::new(name, Kind::Integer { min, max })
}

pub(super) const fn pick(name: &'static str, options: &'static [(i32, &'static str)]) -> Column {
    Column::new(name, Kind::Picklist { options })
}

/// What every activity has. `statecode` and `statuscode` are ignored on create: an activity is born
/// open.
fn activity(
    own: Vec<Column>,
    description: u32,
    states: &'static [(i32, &'static str)],
    statuses: &'static [(i32, i32, &'static str)],
) -> Vec<Column> {
    let mut columns = vec![
        text("subject", 200),
        Column::new("description", Kind::Memo { max: description }),
        text("category", 250),
        text("subcategory", 250),
        time("scheduledstart"),
        time("scheduledend"),
        time("actualstart"),
        time("actualend"),
        Column::new("scheduleddurationminutes", ANY_INT).read_only(),
        Column::new("actualdurationminutes", ANY_INT),
        pick("prioritycode", PRIORITY),
        time("sortdate"),
        Column::new("activityadditionalparams", Kind::Memo { max: 8192 }),
        text("exchangeitemid", 200),
        Column::new("activitytypecode", Kind::EntityName).read_only(),
        flag("isregularactivity").read_only(),
        flag("isbilled"),
        flag("isworkflowcreated"),
        Column::new("regardingobjectid", Kind::Lookup { targets: REGARDING }),
        Column::new("statecode", Kind::State { options: states }).update_only(),
        Column::new("statuscode", Kind::Status { options: statuses }),
    ];
    for column in own {
        match columns.iter_mut().find(|common| common.name == column.name) {
            Some(common) => *common = column,
            None => columns.push(column),
        }
    }
    columns
}

const EMAIL_COLLECTIONS: &[Collection] = &[
    Collection { name: "email_activity_parties", table: "activityparty", key: "activityid" },
    Collection {
        name: "email_activity_mime_attachment",
        table: "activitymimeattachment",
        key: "objectid",
    },
    Collection { name: "Email_Annotation", table: "annotation", key: "objectid" },
];
const APPOINTMENT_COLLECTIONS: &[Collection] = &[
    Collection { name: "appointment_activity_parties", table: "activityparty", key: "activityid" },
    Collection {
        name: "appointment_activity_mime_attachment",
        table: "activitymimeattachment",
        key: "objectid",
    },
    Collection { name: "Appointment_Annotation", table: "annotation", key: "objectid" },
];
const SERIES_COLLECTIONS: &[Collection] = &[
    Collection {
        name: "recurringappointmentmaster_activity_parties",
        table: "activityparty",
        key: "activityid",
    },
    Collection {
        name: "recurringappointmentmaster_activity_mime_attachment",
        table: "activitymimeattachment",
        key: "objectid",
    },
];
const TASK_COLLECTIONS: &[Collection] = &[
    Collection { name: "task_activity_parties", table: "activityparty", key: "activityid" },
    Collection { name: "Task_Annotation", table: "annotation", key: "objectid" },
];
const PHONECALL_COLLECTIONS: &[Collection] =
    &[Collection { name: "phonecall_activity_parties", table: "activityparty", key: "activityid" }];
const POINTER_COLLECTIONS: &[Collection] = &[Collection {
    name: "activitypointer_activity_parties",
    table: "activityparty",
    key: "activityid",
}];

const NOTIFICATIONS: &[(i32, &str)] = &[
    (0, "None"),
    (
        1,
        "The message was saved as a Microsoft Dynamics 365 email record, but not all the attachments could be saved with it.",
    ),
    (2, "Truncated body."),
];
const CORRELATION: &[(i32, &str)] = &[
    (0, "None"),
    (1, "Skipped"),
    (2, "XHeader"),
    (3, "InReplyTo"),
    (4, "TrackingToken"),
    (5, "ConversationIndex"),
    (6, "SmartMatching"),
    (7, "CustomCorrelation"),
];

fn email() -> Draft {
    let own = vec![
        flag("directioncode"),
        text("messageid", 320),
        text("inreplyto", 320).read_only(),
        text("conversationindex", 2048).read_only(),
        Column::new("conversationtrackingid", Kind::Guid),
        Column::new("messageiddupcheck", Kind::Guid),
        text("sender", 250),
        text("torecipients", 500),
        text("submittedby", 250),
        text("mimetype", 256),
        text("trackingtoken", 50),
        Column::new("internetmessageheaders", Kind::Memo { max: 1_048_576 }),
        number("attachmentcount", 0, i64::from(i32::MAX)).read_only(),
        flag("compressed").read_only(),
        number("isunsafe", 0, 1).read_only(),
        number("deliveryattempts", 0, 1_000_000_000),
        pick("notifications", NOTIFICATIONS),
        flag("readreceiptrequested"),
        flag("deliveryreceiptrequested"),
        time("senton").read_only(),
        time("delayedemailsendtime"),
        time("postponeemailprocessinguntil").read_only(),
        pick("correlationmethod", CORRELATION).read_only(),
        pick("deliveryprioritycode", PRIORITY),
        Column::new("emailsender", Kind::Lookup { targets: PARTIES }).read_only(),
        Column::new("receivingmailboxid", Kind::Lookup { targets: &["mailbox"] }),
        Column::new("correlatedactivityid", Kind::Lookup { targets: &["email"] }),
        Column::new("acceptingentityid", Kind::Lookup { targets: &["systemuser", "queue"] }),
        Column::new("parentactivityid", Kind::Lookup { targets: &["email"] }),
    ];
    let statuses = &[
        (1, 0, "Draft"),
        (8, 0, "Failed"),
        (2, 1, "Completed"),
        (3, 1, "Sent"),
        (4, 1, "Received"),
        (6, 1, "Pending Send"),
        (7, 1, "Sending"),
        (5, 2, "Canceled"),
    ];
    Draft {
        logical: "email",
        schema: "Email",
        set: "emails",
        code: 4202,
        id: "activityid",
        primary_name: "subject",
        columns: activity(own, 1_073_741_823, CLOSABLE, statuses),
        collections: EMAIL_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: ACTIVITY,
    }
}

/// What single and recurring appointments share.
fn meeting() -> Vec<Column> {
    vec![
        text("location", 200),
        flag("isalldayevent"),
        text("globalobjectid", 300),
        number("outlookownerapptid", i64::from(i32::MIN), i64::from(i32::MAX)),
        flag("ismapiprivate").read_only(),
        flag("isonlinemeeting"),
        text("onlinemeetingjoinurl", 1250),
        pick("instancetypecode", INSTANCE_TYPE).read_only(),
        Column::new("seriesid", Kind::Guid).read_only(),
    ]
}

fn appointment() -> Draft {
    let mut own = meeting();
    own.extend([
        time("scheduledstart").needed(), time("scheduledend").needed(), flag("isdraft"), time("originalstartdate").read_only(),
        number("attachmentcount", 0, i64::from(i32::MAX)).read_only(),
        pick("attachmenterrors", &[(0, "None"), (1, "The appointment was saved as a Microsoft Dynamics 365 appointment record, but not all the attachments could be saved with it.")]),
        text("modifiedfieldsmask", 20).read_only(),
    ]);
    Draft {
        logical: "appointment",
        schema: "Appointment",
        set: "appointments",
        code: 4201,
        id: "activityid",
        primary_name: "subject",
        columns: activity(own, 1_048_576, SCHEDULED, APPOINTMENT_STATUS),
        collections: APPOINTMENT_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: ACTIVITY,
    }
}

const MONTHS: &[(i32, &str)] = &[
    (0, "Invalid Month Of Year"),
    (1, "January"),
    (2, "February"),
    (3, "March"),
    (4, "April"),
    (5, "May"),
    (6, "June"),
    (7, "July"),
    (8, "August"),
    (9, "September"),
    (10, "October"),
    (11, "November"),
    (12, "December"),
];
const NTH: &[(i32, &str)] = &[
    (0, "Invalid Recurrence Pattern"),
    (1, "First"),
    (2, "Second"),
    (3, "Third"),
    (4, "Fourth"),
    (5, "Last"),
];

fn series() -> Draft {
    let mut own = meeting();
    own.extend([
        pick(
            "recurrencepatterntype",
            &[(0, "Daily"), (1, "Weekly"), (2, "Monthly"), (3, "Yearly")],
        )
        .needed(),
        number("interval", 0, i64::from(i32::MAX)),
        number("daysofweekmask", 0, 127),
        number("dayofmonth", 0, 31),
        pick("monthofyear", MONTHS),
        pick("instance", NTH),
        flag("isnthmonthly"),
        flag("isnthyearly"),
        flag("isweekdaypattern"),
        flag("isregenerate"),
        number("firstdayofweek", 0, 6),
        time("patternstartdate").needed(),
        time("patternenddate"),
        pick("patternendtype", &[(1, "No End Date"), (2, "Occurrences"), (3, "Pattern End Date")]),
        number("occurrences", 0, 999),
        time("starttime").needed(),
        time("endtime"),
        number("duration", 0, i64::from(i32::MAX)),
        time("effectivestartdate").read_only(),
        time("effectiveenddate").read_only(),
        Column::new("deletedexceptionslist", Kind::Memo { max: 1_048_576 }).read_only(),
        pick(
            "expansionstatecode",
            &[(0, "Unexpanded"), (1, "Partially Expanded"), (2, "Fully Expanded")],
        )
        .read_only(),
        time("lastexpandedinstancedate").read_only(),
        time("nextexpansioninstancedate").read_only(),
    ]);
    Draft {
        logical: "recurringappointmentmaster",
        schema: "RecurringAppointmentMaster",
        set: "recurringappointmentmasters",
        code: 4251,
        id: "activityid",
        primary_name: "subject",
        columns: activity(own, 1_048_576, SCHEDULED, APPOINTMENT_STATUS),
        collections: SERIES_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: ACTIVITY,
    }
}

fn task() -> Draft {
    let own =
        vec![number("percentcomplete", 0, 100), Column::new("crmtaskassigneduniqueid", Kind::Guid)];
    let statuses = &[
        (2, 0, "Not Started"),
        (3, 0, "In Progress"),
        (4, 0, "Waiting on someone else"),
        (7, 0, "Deferred"),
        (5, 1, "Completed"),
        (6, 2, "Canceled"),
    ];
    Draft {
        logical: "task",
        schema: "Task",
        set: "tasks",
        code: 4212,
        id: "activityid",
        primary_name: "subject",
        columns: activity(own, 2000, CLOSABLE, statuses),
        collections: TASK_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: ACTIVITY,
    }
}

fn phonecall() -> Draft {
    let own = vec![flag("directioncode"), text("phonenumber", 200), flag("leftvoicemail")];
    let statuses = &[(1, 0, "Open"), (2, 1, "Made"), (4, 1, "Received"), (3, 2, "Canceled")];
    Draft {
        logical: "phonecall",
        schema: "PhoneCall",
        set: "phonecalls",
        code: 4210,
        id: "activityid",
        primary_name: "subject",
        columns: activity(own, 2000, CLOSABLE, statuses),
        collections: PHONECALL_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: ACTIVITY,
    }
}

/// The read-only union. Its columns are exactly those that every activity has.
fn pointer() -> Draft {
    let statuses = &[(1, 0, "Open"), (2, 1, "Completed"), (3, 2, "Canceled"), (4, 3, "Scheduled")];
    let columns = activity(Vec::new(), 1_073_741_823, SCHEDULED, statuses)
        .into_iter()
        .map(Column::read_only)
        .collect();
    Draft {
        logical: "activitypointer",
        schema: "ActivityPointer",
        set: "activitypointers",
        code: 4200,
        id: "activityid",
        primary_name: "subject",
        columns,
        collections: POINTER_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Activity",
        keys: &[],
        flags: Flags { offline: true, notes: true, ..Flags::default() },
    }
}
