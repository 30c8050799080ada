//! Customers: `contact`, `account`, `lead`, `opportunity`, and the notes that hang on them.

use super::{Collection, Column, Draft, Flags, Kind, Ownership};

pub(super) fn tables() -> Vec<Draft> {
    vec![contact(), account(), lead(), opportunity(), annotation()]
}

const CUSTOMER: Flags = Flags {
    activity: false,
    change_tracking: true,
    optimistic: true,
    offline: true,
    notes: true,
    duplicates: true,
};

const CONTACT_COLLECTIONS: &[Collection] = &[
    Collection { name: "contact_activity_parties", table: "activityparty", key: "partyid" },
    Collection { name: "contact_customer_contacts", table: "contact", key: "parentcustomerid" },
    Collection {
        name: "Contact_ActivityPointers",
        table: "activitypointer",
        key: "regardingobjectid",
    },
    Collection { name: "Contact_Tasks", table: "task", key: "regardingobjectid" },
    Collection { name: "Contact_Appointments", table: "appointment", key: "regardingobjectid" },
    Collection { name: "Contact_Emails", table: "email", key: "regardingobjectid" },
    Collection { name: "Contact_Phonecalls", table: "phonecall", key: "regardingobjectid" },
    Collection { name: "Contact_Annotation", table: "annotation", key: "objectid" },
];

const ACCOUNT_COLLECTIONS: &[Collection] = &[
    Collection { name: "account_activity_parties", table: "activityparty", key: "partyid" },
    Collection { name: "contact_customer_accounts", table: "contact", key: "parentcustomerid" },
    Collection {
        name: "Account_ActivityPointers",
        table: "activitypointer",
        key: "regardingobjectid",
    },
    Collection { name: "Account_Tasks", table: "task", key: "regardingobjectid" },
    Collection { name: "Account_Appointments", table: "appointment", key: "regardingobjectid" },
    Collection { name: "Account_Emails", table: "email", key: "regardingobjectid" },
    Collection { name: "Account_Annotation", table: "annotation", key: "objectid" },
];

const LEAD_COLLECTIONS: &[Collection] = &[
    Collection { name: "lead_activity_parties", table: "activityparty", key: "partyid" },
    Collection { name: "Lead_Tasks", table: "task", key: "regardingobjectid" },
    Collection { name: "Lead_Annotation", table: "annotation", key: "objectid" },
];

const OPPORTUNITY_COLLECTIONS: &[Collection] = &[
    Collection { name: "Opportunity_Tasks", table: "task", key: "regardingobjectid" },
    Collection { name: "Opportunity_Annotation", table: "annotation", key: "objectid" },
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

const fn pick(name: &'static str, options: &'static [(i32, &'static str)]) -> Column {
    Column::new(name, Kind::Picklist { options })
}

/// `statecode` is ignored on create, save for leads: a row is born in its first state.
const fn state(options: &'static [(i32, &'static str)]) -> Column {
    Column::new("statecode", Kind::State { options }).update_only()
}

const fn status(options: &'static [(i32, i32, &'static str)]) -> Column {
    Column::new("statuscode", Kind::Status { options })
}

const ACTIVE: &[(i32, &str)] = &[(0, "Active"), (1, "Inactive")];
const ACTIVE_STATUS: &[(i32, i32, &str)] = &[(1, 0, "Active"), (2, 1, "Inactive")];

/// The columns of one postal address; address 2 has the shorter name.
fn address(number: u8) -> Vec<Column> {
    match number {
        1 => vec![
            text("address1_name", 200),
            text("address1_line1", 250),
            text("address1_line2", 250),
            text("address1_line3", 250),
            text("address1_city", 80),
            text("address1_stateorprovince", 50),
            text("address1_postalcode", 20),
            text("address1_country", 80),
            text("address1_county", 50),
            text("address1_postofficebox", 20),
            text("address1_telephone1", 50),
            text("address1_telephone2", 50),
            text("address1_telephone3", 50),
            text("address1_fax", 50),
            memo("address1_composite", 1000).read_only(),
        ],
        2 => vec![
            text("address2_name", 100),
            text("address2_line1", 250),
            text("address2_line2", 250),
            text("address2_line3", 250),
            text("address2_city", 80),
            text("address2_stateorprovince", 50),
            text("address2_postalcode", 20),
            text("address2_country", 80),
            text("address2_county", 50),
            text("address2_postofficebox", 20),
            text("address2_telephone1", 50),
            text("address2_telephone2", 50),
            text("address2_telephone3", 50),
            text("address2_fax", 50),
            memo("address2_composite", 1000).read_only(),
        ],
        _ => vec![
            text("address3_name", 200),
            text("address3_line1", 250),
            text("address3_line2", 250),
            text("address3_line3", 250),
            text("address3_city", 80),
            text("address3_stateorprovince", 50),
            text("address3_postalcode", 20),
            text("address3_country", 80),
            text("address3_county", 50),
            text("address3_postofficebox", 20),
            text("address3_telephone1", 50),
            text("address3_telephone2", 50),
            text("address3_telephone3", 50),
            text("address3_fax", 50),
            memo("address3_composite", 1000).read_only(),
        ],
    }
}

fn contact() -> Draft {
    let mut columns = vec![
        text("fullname", 160).read_only(),
        text("firstname", 50),
        text("middlename", 50),
        text("lastname", 50),
        text("nickname", 100),
        text("salutation", 100),
        text("suffix", 10),
        text("jobtitle", 100),
        text("department", 100),
        text("emailaddress1", 100),
        text("emailaddress2", 100),
        text("emailaddress3", 100),
        text("telephone1", 50),
        text("business2", 50),
        text("telephone2", 50),
        text("home2", 50),
        text("telephone3", 50),
        text("mobilephone", 50),
        text("fax", 50),
        text("pager", 50),
        text("callback", 50),
        text("company", 50),
        text("assistantname", 100),
        text("assistantphone", 50),
        text("managername", 100),
        text("managerphone", 50),
        text("spousesname", 100),
        text("childrensnames", 255),
        text("websiteurl", 200),
        text("ftpsiteurl", 200),
        text("governmentid", 50),
        text("employeeid", 50),
        text("externaluseridentifier", 50),
        memo("description", 2000),
        text("yomifirstname", 150),
        text("yomilastname", 150),
        text("yomimiddlename", 150),
        text("yomifullname", 450).read_only(),
    ];
    columns.extend(personal());
    columns.extend((1..=3).flat_map(address));
    Draft {
        logical: "contact",
        schema: "Contact",
        set: "contacts",
        code: 2,
        id: "contactid",
        primary_name: "fullname",
        columns,
        collections: CONTACT_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Contact",
        keys: &["emailaddress1"],
        flags: CUSTOMER,
    }
}

/// What a contact has beside names, addresses and numbers.
fn personal() -> Vec<Column> {
    vec![
        Column::new("birthdate", Kind::Date),
        Column::new("anniversary", Kind::Date),
        pick("gendercode", &[(1, "Male"), (2, "Female")]),
        pick("familystatuscode", &[(1, "Single"), (2, "Married"), (3, "Divorced"), (4, "Widowed")]),
        pick(
            "preferredcontactmethodcode",
            &[(1, "Any"), (2, "Email"), (3, "Phone"), (4, "Fax"), (5, "Mail")],
        ),
        flag("donotemail"),
        flag("donotphone"),
        flag("donotfax"),
        flag("donotpostalmail"),
        flag("donotbulkemail"),
        flag("creditonhold"),
        Column::new("parentcustomerid", Kind::Lookup { targets: &["account", "contact"] }),
        Column::new("originatingleadid", Kind::Lookup { targets: &["lead"] }),
        Column::new("entityimage", Kind::Binary),
        state(ACTIVE),
        status(ACTIVE_STATUS),
    ]
}

fn account() -> Draft {
    let mut columns = vec![
        text("name", 160),
        text("accountnumber", 20),
        text("emailaddress1", 100),
        text("emailaddress2", 100),
        text("emailaddress3", 100),
        text("telephone1", 50),
        text("telephone2", 50),
        text("telephone3", 50),
        text("fax", 50),
        text("websiteurl", 200),
        text("ftpsiteurl", 200),
        text("tickersymbol", 10),
        text("yominame", 160),
        memo("description", 2000),
        Column::new("numberofemployees", Kind::Integer { min: 0, max: 1_000_000_000 }),
        flag("donotemail"),
        flag("donotphone"),
        flag("creditonhold"),
        Column::new("parentaccountid", Kind::Lookup { targets: &["account"] }),
        Column::new("primarycontactid", Kind::Lookup { targets: &["contact"] }),
        Column::new("entityimage", Kind::Binary),
        state(ACTIVE),
        status(ACTIVE_STATUS),
    ];
    columns.extend((1..=2).flat_map(address));
    Draft {
        logical: "account",
        schema: "Account",
        set: "accounts",
        code: 1,
        id: "accountid",
        primary_name: "name",
        columns,
        collections: ACCOUNT_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Account",
        keys: &[],
        flags: CUSTOMER,
    }
}

fn lead() -> Draft {
    let mut columns = vec![
        text("fullname", 160).read_only(),
        text("firstname", 50),
        text("middlename", 50),
        text("lastname", 50),
        text("companyname", 100),
        text("subject", 300),
        text("emailaddress1", 100),
        text("emailaddress2", 100),
        text("emailaddress3", 100),
        text("telephone1", 50),
        text("telephone2", 50),
        text("telephone3", 50),
        text("mobilephone", 20),
        text("fax", 50),
        text("pager", 20),
        text("jobtitle", 100),
        text("salutation", 100),
        text("websiteurl", 200),
        memo("description", 2000),
        flag("donotemail"),
        flag("donotphone"),
        Column::new("parentaccountid", Kind::Lookup { targets: &["account"] }),
        Column::new("parentcontactid", Kind::Lookup { targets: &["contact"] }),
        Column::new(
            "statecode",
            Kind::State { options: &[(0, "Open"), (1, "Qualified"), (2, "Disqualified")] },
        ),
        status(&[
            (1, 0, "New"),
            (2, 0, "Contacted"),
            (3, 1, "Qualified"),
            (4, 2, "Lost"),
            (5, 2, "Cannot Contact"),
            (6, 2, "No Longer Interested"),
            (7, 2, "Canceled"),
        ]),
    ];
    columns.extend(address(1));
    Draft {
        logical: "lead",
        schema: "Lead",
        set: "leads",
        code: 4,
        id: "leadid",
        primary_name: "fullname",
        columns,
        collections: LEAD_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Lead",
        keys: &[],
        flags: CUSTOMER,
    }
}

fn opportunity() -> Draft {
    let columns = vec![
        text("name", 300),
        memo("description", 2000),
        text("emailaddress", 100),
        Column::new("estimatedclosedate", Kind::Date),
        Column::new("actualclosedate", Kind::Date),
        Column::new("closeprobability", Kind::Integer { min: 0, max: 100 }),
        Column::new("customerid", Kind::Lookup { targets: &["account", "contact"] }),
        Column::new("parentaccountid", Kind::Lookup { targets: &["account"] }),
        Column::new("parentcontactid", Kind::Lookup { targets: &["contact"] }),
        state(&[(0, "Open"), (1, "Won"), (2, "Lost")]),
        status(&[
            (1, 0, "In Progress"),
            (2, 0, "On Hold"),
            (3, 1, "Won"),
            (4, 2, "Canceled"),
            (5, 2, "Out-Sold"),
        ]),
    ];
    Draft {
        logical: "opportunity",
        schema: "Opportunity",
        set: "opportunities",
        code: 3,
        id: "opportunityid",
        primary_name: "name",
        columns,
        collections: OPPORTUNITY_COLLECTIONS,
        ownership: Ownership::User,
        privilege: "Opportunity",
        keys: &[],
        flags: Flags { duplicates: false, ..CUSTOMER },
    }
}

fn annotation() -> Draft {
    let columns = vec![
        text("subject", 500),
        memo("notetext", 100_000),
        text("filename", 255),
        text("mimetype", 256),
        Column::new("documentbody", Kind::Binary),
        flag("isdocument"),
        Column::new("filesize", Kind::Integer { min: 0, max: 1_000_000_000 }).read_only(),
        Column::new("objecttypecode", Kind::EntityName).create_only(),
        Column::new(
            "objectid",
            Kind::Lookup {
                targets: &[
                    "account",
                    "contact",
                    "lead",
                    "opportunity",
                    "task",
                    "appointment",
                    "email",
                    "phonecall",
                    "recurringappointmentmaster",
                ],
            },
        ),
    ];
    Draft {
        logical: "annotation",
        schema: "Annotation",
        set: "annotations",
        code: 5,
        id: "annotationid",
        primary_name: "subject",
        columns,
        collections: &[],
        ownership: Ownership::User,
        privilege: "Note",
        keys: &[],
        flags: Flags { change_tracking: true, optimistic: true, offline: true, ..Flags::default() },
    }
}
