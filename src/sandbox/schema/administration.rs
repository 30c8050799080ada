//! Users and what surrounds them: units, teams, queues, roles, mailboxes, settings, the
//! organisation itself, and saved and user queries.

use super::{Collection, Column, Draft, Flags, Kind, Ownership};

pub(super) fn tables() -> Vec<Draft> {
    vec![
        systemuser(),
        businessunit(),
        team(),
        queue(),
        organization(),
        role(),
        privilege(),
        mailbox(),
        usersettings(),
        timezonedefinition(),
        savedquery(),
        userquery(),
    ]
}

const NONE: Flags = Flags {
    activity: false,
    change_tracking: false,
    optimistic: false,
    offline: false,
    notes: false,
    duplicates: false,
};

const ACTIVE: &[(i32, &str)] = &[(0, "Active"), (1, "Inactive")];
const ACTIVE_STATUS: &[(i32, i32, &str)] = &[(1, 0, "Active"), (2, 1, "Inactive")];
const APPROVAL: &[(i32, &str)] =
    &[(0, "Empty"), (1, "Approved"), (2, "Pending Approval"), (3, "Rejected")];
const RESULT: &[(i32, &str)] = &[(0, "Not Run"), (1, "Success"), (2, "Failure")];
const INCOMING: &[(i32, &str)] = &[
    (0, "None"),
    (1, "Microsoft Dynamics 365 for Outlook"),
    (2, "Server-Side Synchronization or Email Router"),
    (3, "Forward Mailbox"),
];
const OUTGOING: &[(i32, &str)] = &[
    (0, "None"),
    (1, "Microsoft Dynamics 365 for Outlook"),
    (2, "Server-Side Synchronization or Email Router"),
];

const fn text(name: &'static str, max: u32) -> Column {
    Column::new(name, Kind::Text { max })
}

const fn memo(name: &'static str, max: u32) -> Column {
    Column::new(name, Kind::Memo { max })
}

const fn flag(name: &'static str) -> Column {
    Column::new(name, Kind::Boolean)
}

const fn number(name: &'static str, min: i64, max: i64) -> Column {
    Column::new(name, Kind::Integer { min, max })
}

const fn pick(name: &'static str, options: &'static [(i32, &'static str)]) -> Column {
    Column::new(name, Kind::Picklist { options })
}

const fn lookup(name: &'static str, targets: &'static [&'static str]) -> Column {
    Column::new(name, Kind::Lookup { targets })
}

const fn state() -> Column {
    Column::new("statecode", Kind::State { options: ACTIVE }).update_only()
}

const fn status() -> Column {
    Column::new("statuscode", Kind::Status { options: ACTIVE_STATUS })
}

const ACCESS_MODES: &[(i32, &str)] = &[
    (0, "Read-Write"),
    (1, "Administrative"),
    (2, "Read"),
    (3, "Support User"),
    (4, "Non-interactive"),
    (5, "Delegated Admin"),
];
const LICENCES: &[(i32, &str)] = &[
    (0, "Professional"),
    (1, "Administrative"),
    (2, "Basic"),
    (3, "Device Professional"),
    (4, "Device Basic"),
    (5, "Essential"),
    (6, "Device Essential"),
    (7, "Enterprise"),
    (8, "Device Enterprise"),
    (9, "Sales"),
    (10, "Service"),
    (11, "Field Service"),
    (12, "Project Service"),
];
const USER_COLLECTIONS: &[Collection] = &[
    Collection { name: "system_user_activity_parties", table: "activityparty", key: "partyid" },
    Collection { name: "user_userquery", table: "userquery", key: "ownerid" },
];

fn systemuser() -> Draft {
    let columns = vec![
        text("fullname", 200).read_only(),
        text("firstname", 256),
        text("lastname", 256),
        text("internalemailaddress", 100),
        text("personalemailaddress", 100),
        text("domainname", 1024),
        text("title", 128),
        text("mobilephone", 64),
        Column::new("azureactivedirectoryobjectid", Kind::Guid),
        Column::new("applicationid", Kind::Guid),
        pick("accessmode", ACCESS_MODES),
        pick("caltype", LICENCES),
        flag("isdisabled"),
        flag("islicensed"),
        flag("issyncwithdirectory"),
        flag("setupuser"),
        flag("defaultfilterspopulated").read_only(),
        flag("isemailaddressapprovedbyo365admin").read_only(),
        pick("emailrouteraccessapproval", APPROVAL),
        pick("incomingemaildeliverymethod", INCOMING),
        pick("outgoingemaildeliverymethod", OUTGOING),
        lookup("businessunitid", &["businessunit"]),
        lookup("defaultmailbox", &["mailbox"]).read_only(),
        lookup("queueid", &["queue"]),
        lookup("parentsystemuserid", &["systemuser"]),
    ];
    Draft {
        logical: "systemuser",
        schema: "SystemUser",
        set: "systemusers",
        code: 8,
        id: "systemuserid",
        primary_name: "fullname",
        columns,
        collections: USER_COLLECTIONS,
        ownership: Ownership::Unit,
        privilege: "User",
        keys: &["azureactivedirectoryobjectid"],
        flags: Flags { offline: true, ..NONE },
    }
}

fn businessunit() -> Draft {
    let columns = vec![
        text("name", 160).needed(),
        flag("isdisabled"),
        lookup("parentbusinessunitid", &["businessunit"]),
    ];
    Draft {
        logical: "businessunit",
        schema: "BusinessUnit",
        set: "businessunits",
        code: 10,
        id: "businessunitid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Unit,
        privilege: "BusinessUnit",
        keys: &[],
        flags: NONE,
    }
}

fn team() -> Draft {
    let columns = vec![
        text("name", 160).needed(),
        memo("description", 2000),
        text("emailaddress", 100),
        flag("isdefault").read_only(),
        pick(
            "teamtype",
            &[(0, "Owner"), (1, "Access"), (2, "Security Group"), (3, "Office Group")],
        ),
        lookup("businessunitid", &["businessunit"]),
        lookup("administratorid", &["systemuser"]),
    ];
    Draft {
        logical: "team",
        schema: "Team",
        set: "teams",
        code: 9,
        id: "teamid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Unit,
        privilege: "Team",
        keys: &[],
        flags: NONE,
    }
}

fn queue() -> Draft {
    let columns = vec![
        text("name", 200).needed(),
        memo("description", 2000),
        text("emailaddress", 100),
        pick("incomingemaildeliverymethod", INCOMING),
        pick("outgoingemaildeliverymethod", OUTGOING),
        lookup("defaultmailbox", &["mailbox"]).read_only(),
        state(),
        status(),
    ];
    Draft {
        logical: "queue",
        schema: "Queue",
        set: "queues",
        code: 2020,
        id: "queueid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::User,
        privilege: "Queue",
        keys: &[],
        flags: NONE,
    }
}

fn organization() -> Draft {
    let columns = vec![
        text("name", 160),
        number("maxuploadfilesize", 0, 134_217_728),
        memo("blockedattachments", 1_073_741_823),
        memo("blockedmimetypes", 1_073_741_823),
        memo("allowedmimetypes", 1_073_741_823),
        number("expirechangetrackingindays", 0, 365),
        text("trackingprefix", 256),
        number("trackingtokenidbase", 0, i64::from(i32::MAX)),
        number("trackingtokeniddigits", 1, 10),
        flag("isemailmonitoringallowed"),
        flag("ignoreinternalemail"),
        flag("allowunresolvedpartiesonemailsend"),
        number("localeid", 0, i64::from(i32::MAX)),
        number("languagecode", 0, i64::from(i32::MAX)),
        number("recurrenceexpansionsynchcreatemax", 1, 1000),
        number("pastexpansionwindow", 1, 120),
        number("futureexpansionwindow", 1, 140),
        pick("plugintracelogsetting", &[(0, "Off"), (1, "Exception"), (2, "All")]),
        flag("isduplicatedetectionenabled"),
        memo("orgdborgsettings", 1_073_741_823),
    ];
    Draft {
        logical: "organization",
        schema: "Organization",
        set: "organizations",
        code: 1019,
        id: "organizationid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Organisation,
        privilege: "Organization",
        keys: &[],
        flags: NONE,
    }
}

fn role() -> Draft {
    let columns = vec![text("name", 100).needed(), lookup("businessunitid", &["businessunit"])];
    Draft {
        logical: "role",
        schema: "Role",
        set: "roles",
        code: 1036,
        id: "roleid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Unit,
        privilege: "Role",
        keys: &[],
        flags: NONE,
    }
}

fn privilege() -> Draft {
    let columns = vec![
        text("name", 100).read_only(),
        number("accessright", 0, i64::from(i32::MAX)).read_only(),
        flag("canbebasic").read_only(),
        flag("canbelocal").read_only(),
        flag("canbedeep").read_only(),
        flag("canbeglobal").read_only(),
    ];
    Draft {
        logical: "privilege",
        schema: "Privilege",
        set: "privileges",
        code: 1023,
        id: "privilegeid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Organisation,
        privilege: "Privilege",
        keys: &[],
        flags: NONE,
    }
}

fn mailbox() -> Draft {
    let columns = vec![
        text("name", 160).needed(),
        text("emailaddress", 100),
        text("username", 200),
        pick("incomingemaildeliverymethod", INCOMING),
        pick("outgoingemaildeliverymethod", OUTGOING),
        pick(
            "actdeliverymethod",
            &[
                (0, "Microsoft Dynamics 365 for Outlook"),
                (1, "Server-Side Synchronization"),
                (2, "None"),
            ],
        ),
        pick("actstatus", RESULT).read_only(),
        pick("incomingemailstatus", RESULT).read_only(),
        pick("outgoingemailstatus", RESULT).read_only(),
        pick("mailboxstatus", RESULT).read_only(),
        pick("emailrouteraccessapproval", APPROVAL),
        flag("isemailaddressapprovedbyo365admin").read_only(),
        flag("testemailconfigurationscheduled"),
        flag("isforwardmailbox"),
        lookup("regardingobjectid", &["systemuser", "queue"]),
        state(),
        status(),
    ];
    Draft {
        logical: "mailbox",
        schema: "Mailbox",
        set: "mailboxes",
        code: 9606,
        id: "mailboxid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::User,
        privilege: "Mailbox",
        keys: &[],
        flags: NONE,
    }
}

fn usersettings() -> Draft {
    let columns = vec![
        pick(
            "incomingemailfilteringmethod",
            &[
                (0, "All email messages"),
                (1, "Email messages in response to Dynamics 365 email"),
                (2, "Email messages from Dynamics 365 Leads, Contacts and Accounts"),
                (3, "Email messages from Dynamics 365 records that are email enabled"),
                (4, "No email messages"),
            ],
        ),
        number("timezonecode", 0, 1000),
        number("localeid", 0, i64::from(i32::MAX)),
        number("uilanguageid", 0, i64::from(i32::MAX)),
        number("paginglimit", 0, 5000),
        number("offlinesyncinterval", 0, i64::from(i32::MAX)),
        number("outlooksyncinterval", 0, i64::from(i32::MAX)),
        flag("issendasallowed"),
        flag("synccontactcompany"),
        flag("usecrmformforappointment"),
        text("homepagearea", 200),
        lookup("businessunitid", &["businessunit"]).read_only(),
    ];
    Draft {
        logical: "usersettings",
        schema: "UserSettings",
        set: "usersettingscollection",
        code: 150,
        id: "systemuserid",
        primary_name: "homepagearea",
        columns,
        collections: &[],
        ownership: Ownership::Unit,
        privilege: "UserSettings",
        keys: &[],
        flags: NONE,
    }
}

/// The zones that `usersettings.timezonecode` names.
fn timezonedefinition() -> Draft {
    let columns = vec![
        number("timezonecode", 0, 1000).read_only(),
        text("standardname", 100).read_only(),
        text("userinterfacename", 100).read_only(),
        number("bias", -1500, 1500).read_only(),
    ];
    Draft {
        logical: "timezonedefinition",
        schema: "TimeZoneDefinition",
        set: "timezonedefinitions",
        code: 4810,
        id: "timezonedefinitionid",
        primary_name: "userinterfacename",
        columns,
        collections: &[],
        ownership: Ownership::Organisation,
        privilege: "TimeZoneDefinition",
        keys: &[],
        flags: NONE,
    }
}

/// What saved and user queries share.
fn view() -> Vec<Column> {
    vec![
        text("name", 200).needed(),
        memo("description", 2000),
        Column::new("returnedtypecode", Kind::EntityName).create_only().needed(),
        number("querytype", 0, i64::from(i32::MAX)).create_only().needed(),
        memo("fetchxml", 1_073_741_823),
        memo("layoutxml", 1_073_741_823),
        memo("columnsetxml", 1_073_741_823),
        text("conditionalformatting", 4000),
        flag("offlinesqlquery").read_only(),
        state(),
        status(),
    ]
}

fn savedquery() -> Draft {
    let mut columns = view();
    columns.extend([
        flag("isdefault"),
        flag("isquickfindquery"),
        flag("iscustomizable"),
        flag("isuserdefined").read_only(),
        flag("canbedeleted").read_only(),
    ]);
    Draft {
        logical: "savedquery",
        schema: "SavedQuery",
        set: "savedqueries",
        code: 1039,
        id: "savedqueryid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::Organisation,
        privilege: "Query",
        keys: &[],
        flags: Flags { offline: true, ..NONE },
    }
}

fn userquery() -> Draft {
    let mut columns = view();
    columns.push(lookup("parentqueryid", &["savedquery"]).create_only());
    Draft {
        logical: "userquery",
        schema: "UserQuery",
        set: "userqueries",
        code: 4230,
        id: "userqueryid",
        primary_name: "name",
        columns,
        collections: &[],
        ownership: Ownership::User,
        privilege: "UserQuery",
        keys: &[],
        flags: Flags { offline: true, optimistic: true, ..NONE },
    }
}
