use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{Annotations, QueryError, Scope, paging, sql, value::Value};
use super::*;

fn scope<'a>(
    annotations: &'a Annotations,
    readable: &'a dyn Fn(&Table, &str) -> String,
) -> Scope<'a> {
    Scope {
        user: "00000000-0000-4000-8000-00000000000a",
        business_unit: "00000000-0000-4000-8000-00000000000b",
        base: "http://localhost/api/data/v9.2",
        annotations,
        page_size: None,
        now: "2026-03-04T10:20:30Z".parse::<Timestamp>().unwrap(),
        readable,
    }
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The SQL of a condition and its parameters, without what surrounds it.
fn condition(logical: &str, options: &[(&str, &str)]) -> Result<String, QueryError> {
    let query = parse(schema::table(logical).unwrap(), &pairs(options))?;
    let annotations = Annotations::default();
    let all = |_: &Table, _: &str| String::from("1");
    let built = sql::total(&query, &scope(&annotations, &all))?;
    let (_, behind) = built.sql.split_once("WHERE (1) AND ").unwrap();
    let (condition, _) = behind.rsplit_once(" LIMIT ").unwrap();
    let params: Vec<String> = built.params[2..]
        .iter()
        .map(|value| match value {
            Value::Text(text) => format!("'{text}'"),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
        })
        .collect();
    Ok(format!("{} <- {}", condition.replace('"', ""), params.join(" ")).trim_end().to_owned())
}

#[test]
fn filters_become_sql_with_parameters() {
    let cases = [
        ("contact", "lastname eq 'O''Brien'", "t0.lastname = ?3 COLLATE NOCASE <- 'O'Brien'"),
        ("contact", "lastname eq null", "t0.lastname IS NULL <-"),
        ("contact", "null ne lastname", "t0.lastname IS NOT NULL <-"),
        ("contact", "statecode ne 1", "(t0.statecode <> ?3 OR t0.statecode IS NULL) <- 1"),
        ("contact", "1 lt statecode", "t0.statecode > ?3 <- 1"),
        (
            "contact",
            "_ownerid_value eq AAAAAAAA-0000-4000-8000-000000000001",
            "t0.ownerid = ?3 <- 'aaaaaaaa-0000-4000-8000-000000000001'",
        ),
        (
            "contact",
            "statecode eq 0 and (firstname eq 'a' or not contains(lastname,'b%[%]\\'))",
            "(t0.statecode = ?3 AND (t0.firstname = ?4 COLLATE NOCASE OR NOT ifnull(t0.lastname LIKE ?5 ESCAPE '\\', 0))) \
             <- 0 'a' '%b%\\%\\\\%'",
        ),
        (
            "contact",
            "firstname eq 'a' or firstname eq 'b' and lastname eq 'c'",
            "(t0.firstname = ?3 COLLATE NOCASE OR (t0.firstname = ?4 COLLATE NOCASE AND t0.lastname = ?5 COLLATE NOCASE)) \
             <- 'a' 'b' 'c'",
        ),
        ("contact", "startswith(lastname,'a')", "t0.lastname LIKE ?3 ESCAPE '\\' <- 'a%'"),
        ("contact", "endswith(lastname,'a')", "t0.lastname LIKE ?3 ESCAPE '\\' <- '%a'"),
        ("contact", "firstname eq lastname", "(t0.firstname = t0.lastname COLLATE NOCASE) <-"),
        ("contact", "statecode in (0,1)", "t0.statecode IN (?3, ?4) <- 0 1"),
        (
            "contact",
            "modifiedon ge 2026-01-02T10:00:00+02:00",
            "t0.modifiedon >= ?3 <- '2026-01-02T08:00:00Z'",
        ),
        ("contact", "createdon lt 2026-01-02", "t0.createdon < ?3 <- '2026-01-02T00:00:00Z'"),
        ("contact", "birthdate eq 1980-02-03", "t0.birthdate = ?3 <- '1980-02-03'"),
        ("contact", "donotemail eq true", "t0.donotemail = ?3 <- 1"),
        (
            "task",
            "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')",
            "t0.ownerid = ?1 <-",
        ),
        (
            "task",
            "Microsoft.Dynamics.CRM.In(PropertyName='subject',PropertyValues=['a',\"O'B\"])",
            "t0.subject COLLATE NOCASE IN (?3, ?4) <- 'a' 'O'B'",
        ),
        (
            "task",
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName='modifiedon',PropertyValue=2)",
            "(t0.modifiedon >= ?3 AND t0.modifiedon < ?4) <- '2026-03-02T00:00:00Z' '2026-03-04T10:20:31Z'",
        ),
        (
            "email",
            "email_activity_parties/any(p:p/participationtypemask eq 1)",
            "EXISTS (SELECT 1 FROM activityparty e0 WHERE e0.activityid = t0.activityid AND (1) \
             AND e0.participationtypemask = ?3) <- 1",
        ),
        (
            "contact",
            "parentcustomerid_account/name eq 'Contoso'",
            "EXISTS (SELECT 1 FROM account e0 WHERE e0.accountid = t0.parentcustomerid AND (1) \
             AND t0.parentcustomerid_type = ?3 AND e0.name = ?4 COLLATE NOCASE) <- 'account' 'Contoso'",
        ),
    ];
    for (table, filter, expected) in cases {
        assert_eq!(condition(table, &[("$filter", filter)]).unwrap(), expected, "{filter}");
    }
}

#[test]
fn aliases_stand_for_names_and_values() {
    let options = [("$filter", "@p1 eq @p2 or @p1 eq @p3"), ("@p1", "lastname"), ("@p2", "'x'")];
    assert_eq!(
        condition("contact", &options).unwrap(),
        "(t0.lastname = ?3 COLLATE NOCASE OR t0.lastname IS NULL) <- 'x'"
    );
}

#[test]
fn refusals_are_worded_as_the_service_words_them() {
    let cases: [(&str, &str, &str); 19] = [
        (
            "$filter",
            "foo eq 1",
            "Could not find a property named 'foo' on type 'Microsoft.Dynamics.CRM.contact'.",
        ),
        (
            "$select",
            "fullname,ownerid",
            "Could not find a property named 'ownerid' on type 'Microsoft.Dynamics.CRM.contact'.",
        ),
        ("$filter", "lastname eqq 'x'", "Syntax error at position 13 in 'lastname eqq 'x''."),
        (
            "$filter",
            "lastname eq 'x",
            "There is an unterminated string literal at position 14 in 'lastname eq 'x'.",
        ),
        ("$filter", "(lastname eq 'x'", "Syntax error at position 16 in '(lastname eq 'x''."),
        ("$filter", "", "Syntax error at position 0 in ''."),
        (
            "$filter",
            "statecode eq 'x'",
            "A binary operator with incompatible types was detected. Found operand types 'Edm.Int32' and 'Edm.String' for operator kind 'Equal'.",
        ),
        ("$filter", "1 eq 1", "A comparison needs a property on one of its sides."),
        (
            "$filter",
            "lastname eq 'a';x",
            "Syntax error: character ';' is not valid at position 15 in 'lastname eq 'a';x'.",
        ),
        (
            "$filter",
            "Contact_Tasks/any(t:lastname eq 'a')",
            "'lastname' does not belong to the range variable 't'.",
        ),
        ("$skip", "10", "The query parameter $skip is not supported"),
        ("$search", "a", "The query parameter $search is not supported"),
        (
            "$top",
            "-1",
            "Invalid value '-1' for $top query option found. The $top query option requires a non-negative integer value.",
        ),
        (
            "$orderby",
            "foo desc",
            "Could not find a property named 'foo' on type 'Microsoft.Dynamics.CRM.contact'.",
        ),
        ("$orderby", "lastname up", "Syntax error in $orderby 'lastname up'."),
        (
            "$expand",
            "foo",
            "Could not find a property named 'foo' on type 'Microsoft.Dynamics.CRM.contact'.",
        ),
        ("$expand", "Contact_Tasks($skip=1)", "The query parameter $skip is not supported"),
        (
            "$expand",
            "Contact_Tasks/$ref",
            "Expand with $ref is only supported on lookup type navigation property.",
        ),
        ("$skiptoken", "<cookie", "Malformed XML in the Paging Cookie."),
    ];
    for (name, value, message) in cases {
        let error = parse(schema::table("contact").unwrap(), &pairs(&[(name, value)])).unwrap_err();
        assert_eq!((error.status, error.code), (400, "0x80060888"), "{name}={value}");
        assert_eq!(error.message, message, "{name}={value}");
    }
}

#[test]
fn nesting_and_size_are_bounded() {
    let table = schema::table("contact").unwrap();
    let nested = |depth: usize| {
        let text = format!("{}statecode eq 0{}", "(".repeat(depth), ")".repeat(depth));
        parse(table, &pairs(&[("$filter", &text)]))
    };
    assert!(nested(63).is_ok());
    assert_eq!(nested(64).unwrap_err().message, "The expression is nested too deeply.");
    assert!(nested(20_000).is_err());
    let nots = format!("{}statecode eq 0", "not ".repeat(10_000));
    assert!(parse(table, &pairs(&[("$filter", &nots)])).is_err());
    let wide = |terms: usize| {
        condition("contact", &[("$filter", &vec!["statecode eq 0"; terms].join(" or "))])
    };
    assert!(wide(500).is_ok());
    assert_eq!(wide(501).unwrap_err().code, "0x8004430C");
    let expands =
        "Contact_Tasks($expand=ownerid($select=fullname))".replace("ownerid", "createdby");
    assert!(parse(table, &pairs(&[("$expand", &expands)])).is_ok());
    let mut deep = String::from("createdby");
    for _ in 0..15 {
        deep = format!("createdby($expand={deep})");
    }
    assert!(parse(table, &pairs(&[("$expand", &deep)])).is_err());
    assert!(parse(table, &pairs(&[("$filter", &"a".repeat(70_000))])).is_err());
}

#[test]
fn a_plus_in_the_address_is_a_space() {
    let found = options("%24select=lastname&%24filter=lastname+eq+%27L%27&%24top=5");
    assert_eq!(
        found,
        pairs(&[("$select", "lastname"), ("$filter", "lastname eq 'L'"), ("$top", "5")])
    );
}

#[test]
fn a_skip_token_leads_back_to_its_page() {
    let token = "<cookie pagenumber=\"3\" pagingcookie=\"%3ccookie%20page%3d%222%22%3e%3ccontactid%20last%3d%22%7bD5026A4D-D01C-ED11-B83E-000D3A572421%7d%22%20first%3d%22%7b49B0BE2E-D01C-ED11-B83E-000D3A572421%7d%22%20%2f%3e%3c%2fcookie%3e\" istracking=\"False\" />";
    let query = parse(schema::table("contact").unwrap(), &pairs(&[("$skiptoken", token)])).unwrap();
    let annotations = Annotations::default();
    let all = |_: &Table, _: &str| String::from("1");
    let window = paging::window(&query, &scope(&annotations, &all)).unwrap();
    assert_eq!((window.number, window.offset), (3, 0));
    assert_eq!(
        window.keyset.unwrap().last.unwrap(),
        [Some(Value::Text(String::from("d5026a4d-d01c-ed11-b83e-000d3a572421")))]
    );
}

/// Text that is likely to get past the first token.
fn grammar() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "lastname",
        "statecode",
        "_ownerid_value",
        "eq",
        "ne",
        "and",
        "or",
        "not",
        "in",
        "null",
        "true",
        "(",
        ")",
        ",",
        "/",
        ":",
        "=",
        "[",
        "]",
        "'a''b'",
        "'",
        "\"",
        "1",
        "-1.5e3",
        "2026-01-02",
        "2026-01-02T10:00:00Z",
        "contains(",
        "any(",
        "Contact_Tasks",
        "p",
        "@p",
        "Microsoft.Dynamics.CRM.In(",
        "PropertyName",
        "PropertyValues",
        "parentcustomerid_account",
        "00000000-0000-4000-8000-000000000001",
        "$select",
        ";",
        "ü",
        " ",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_option_panics(name in prop::sample::select(vec!["$filter", "$orderby", "$select", "$expand", "$top", "$skiptoken", "@p"]), text in ".*") {
        let _unused = condition("contact", &[("$filter", "@p eq 1"), (name, &text)]).is_ok();
    }

    #[test]
    fn no_filter_panics(text in grammar(), alias in grammar()) {
        let _unused = parse(schema::table("contact").unwrap(), &pairs(&[("$filter", &text), ("@p", &alias)])).is_ok();
    }

    #[test]
    fn any_text_in_quotes_arrives_as_it_was(text in "\\PC*") {
        let filter = format!("lastname eq '{}'", text.replace('\'', "''"));
        let found = condition("contact", &[("$filter", &filter)]).unwrap();
        prop_assert_eq!(found, format!("t0.lastname = ?3 COLLATE NOCASE <- '{text}'").trim_end().to_owned());
    }
}
