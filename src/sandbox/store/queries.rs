//! The system filters and templates that an organisation begins with, as `FetchXML`.

pub(super) const OFFLINE_FILTER: i64 = 16;
pub(super) const OUTLOOK_FILTER: i64 = 256;
pub(super) const OFFLINE_TEMPLATE: i64 = 8192;
pub(super) const OUTLOOK_TEMPLATE: i64 = 131_072;

/// Name, table, query type and `FetchXML` of the system's own filters and templates.
pub(super) fn system_queries() -> Vec<(String, &'static str, i64, String)> {
    let mut queries = vec![
        (
            "All users: contacts I own".to_owned(),
            "contact",
            OUTLOOK_FILTER,
            mine(
                "contact",
                "contactid",
                "<condition attribute=\"statecode\" operator=\"eq\" value=\"0\"/>",
            ),
        ),
        (
            "All users: accounts I own".to_owned(),
            "account",
            OFFLINE_FILTER,
            mine(
                "account",
                "accountid",
                "<condition attribute=\"statecode\" operator=\"eq\" value=\"0\"/>",
            ),
        ),
    ];
    let open = "<condition attribute=\"statecode\" operator=\"eq\" value=\"0\"/>";
    let outlook = [
        ("My Outlook Contacts", "contact", mine("contact", "contactid", open)),
        ("My Tasks", "task", mine("task", "activityid", open)),
        ("My Phone Calls", "phonecall", mine("phonecall", "activityid", open)),
        ("My Appointments", "appointment", attended("appointment")),
        (
            "My Recurring Appointments",
            "recurringappointmentmaster",
            attended("recurringappointmentmaster"),
        ),
    ];
    queries.extend(
        outlook
            .into_iter()
            .map(|(name, table, fetch)| (name.to_owned(), table, OUTLOOK_TEMPLATE, fetch)),
    );
    let offline = [
        ("My Contacts", "contact", "contactid", open),
        ("My Accounts", "account", "accountid", open),
        ("My Leads", "lead", "leadid", open),
        ("My Opportunities", "opportunity", "opportunityid", open),
        ("My Tasks", "task", "activityid", open),
        ("My Appointments", "appointment", "activityid", ""),
        ("My E-mail", "email", "activityid", ""),
    ];
    queries.extend(offline.into_iter().map(|(name, table, id, more)| {
        (name.to_owned(), table, OFFLINE_TEMPLATE, mine(table, id, more))
    }));
    queries
}

fn mine(logical: &str, id: &str, more: &str) -> String {
    format!(
        "<fetch version=\"1.0\" output-format=\"xml-platform\" mapping=\"logical\"><entity name=\"{logical}\"><attribute name=\"{id}\"/>\
         <filter type=\"and\"><condition attribute=\"ownerid\" operator=\"eq-userid\"/>{more}</filter></entity></fetch>"
    )
}

/// Not cancelled or completed, and the user is required, optional, organizer or owner.
fn attended(logical: &str) -> String {
    format!(
        "<fetch version=\"1.0\" output-format=\"xml-platform\" mapping=\"logical\" distinct=\"true\"><entity name=\"{logical}\">\
         <attribute name=\"activityid\"/><filter type=\"and\"><condition attribute=\"statecode\" operator=\"in\"><value>0</value><value>3</value></condition>\
         </filter><link-entity name=\"activityparty\" from=\"activityid\" to=\"activityid\" alias=\"party\"><filter type=\"and\">\
         <condition attribute=\"partyid\" operator=\"eq-userid\"/><condition attribute=\"participationtypemask\" operator=\"in\">\
         <value>5</value><value>6</value><value>7</value><value>9</value></condition></filter></link-entity></entity></fetch>"
    )
}
