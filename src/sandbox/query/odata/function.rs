//! The `Microsoft.Dynamics.CRM.*` query functions that are known here, by the condition operator each one stands for.

/// The condition operator behind a query function
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/queryfunctions>).
pub(super) fn operator(name: &str) -> Option<&'static str> {
    Some(match name {
        "EqualUserId" => "eq-userid",
        "NotEqualUserId" => "ne-userid",
        "EqualBusinessId" => "eq-businessid",
        "NotEqualBusinessId" => "ne-businessid",
        "EqualUserTeams" => "eq-userteams",
        "EqualUserOrUserTeams" => "eq-useroruserteams",
        "In" => "in",
        "NotIn" => "not-in",
        "Between" => "between",
        "NotBetween" => "not-between",
        "ContainValues" => "contain-values",
        "DoesNotContainValues" => "not-contain-values",
        "Today" => "today",
        "Yesterday" => "yesterday",
        "Tomorrow" => "tomorrow",
        "On" => "on",
        "OnOrBefore" => "on-or-before",
        "OnOrAfter" => "on-or-after",
        "Last7Days" => "last-seven-days",
        "Next7Days" => "next-seven-days",
        "LastWeek" => "last-week",
        "ThisWeek" => "this-week",
        "NextWeek" => "next-week",
        "LastMonth" => "last-month",
        "ThisMonth" => "this-month",
        "NextMonth" => "next-month",
        "LastYear" => "last-year",
        "ThisYear" => "this-year",
        "NextYear" => "next-year",
        _ => return counted(name),
    })
}

fn counted(name: &str) -> Option<&'static str> {
    Some(match name {
        "LastXHours" => "last-x-hours",
        "LastXDays" => "last-x-days",
        "LastXWeeks" => "last-x-weeks",
        "LastXMonths" => "last-x-months",
        "LastXYears" => "last-x-years",
        "NextXHours" => "next-x-hours",
        "NextXDays" => "next-x-days",
        "NextXWeeks" => "next-x-weeks",
        "NextXMonths" => "next-x-months",
        "NextXYears" => "next-x-years",
        "OlderThanXMinutes" => "older-than-x-minutes",
        "OlderThanXHours" => "older-than-x-hours",
        "OlderThanXDays" => "older-than-x-days",
        "OlderThanXWeeks" => "older-than-x-weeks",
        "OlderThanXMonths" => "older-than-x-months",
        "OlderThanXYears" => "older-than-x-years",
        _ => return None,
    })
}
