//! Metadata at run time: `EntityDefinitions` with attributes and option sets, the service document,
//! and a `$metadata` document of the tables.

use super::message::{Reply, Request};
use super::target::parenthesised;
use crate::sandbox::query::value::edm;
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Column, Kind, Ownership, Table};
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;

/// The list of entity sets.
pub(super) fn service(base: &str) -> Reply {
    let sets: Vec<Json> = schema::tables()
        .iter()
        .map(|table| json!({"name": table.set, "kind": "EntitySet", "url": table.set}))
        .collect();
    Reply::json(200, &json!({"@odata.context": format!("{base}/$metadata"), "value": sets}))
}

/// `EntityDefinitions`, one table's definition, its attributes, and attributes of one type.
pub(super) fn definitions(request: &Request, segments: &[String]) -> Result<Reply, Refusal> {
    let (first, rest) =
        segments.split_first().ok_or_else(|| Refusal::no_resource("EntityDefinitions"))?;
    let (name, inner) = parenthesised(first);
    if name != "EntityDefinitions" {
        return Err(Refusal::no_resource(name));
    }
    let context = format!("{}/$metadata#EntityDefinitions", request.base);
    let Some(inner) = inner else {
        return Ok(Reply::json(
            200,
            &json!({"@odata.context": context, "value": matching(request)?}),
        ));
    };
    let table = find(inner)?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        [] => {
            let mut body = definition(table, request);
            body.insert("@odata.context".into(), format!("{context}/$entity").into());
            Ok(Reply::json(200, &Json::Object(body)))
        }
        [part] if ["Keys", "ManyToOneRelationships", "OneToManyRelationships"].contains(part) => {
            Ok(Reply::json(200, &json!({"@odata.context": context, "value": related(table, part)})))
        }
        [attributes, more @ ..] => {
            let (name, inner) = parenthesised(attributes);
            if name != "Attributes" {
                return Err(Refusal::no_resource(name));
            }
            attributes_of(request, table, inner, more, &context)
        }
    }
}

fn attributes_of(
    request: &Request,
    table: &Table,
    inner: Option<&str>,
    more: &[&str],
    context: &str,
) -> Result<Reply, Refusal> {
    let cast = match more {
        [] => None,
        [cast] => Some(
            cast.strip_prefix("Microsoft.Dynamics.CRM.")
                .ok_or_else(|| Refusal::no_resource(cast))?,
        ),
        [_, other, ..] => return Err(Refusal::no_resource(other)),
    };
    let wanted = |column: &&Column| cast.is_none_or(|cast| kind(column).1 == cast);
    let option_set = option_set_wanted(request);
    if let Some(inner) = inner {
        let name =
            quoted(inner, "LogicalName").ok_or_else(|| Refusal::no_resource("Attributes"))?;
        let column = table.column(&name).filter(wanted);
        let column = column.ok_or_else(|| {
            Refusal::new(
                404,
                "0x80060888",
                format!("Could not find attribute '{name}' of '{}'.", table.logical),
            )
        })?;
        let body =
            select(attribute(table, column, option_set), request.option("$select"), option_set);
        Ok(Reply::json(200, &Json::Object(body)))
    } else {
        let columns = table.columns.iter().filter(wanted);
        let filter = request.option("$filter");
        let rows: Vec<Json> = columns
            .map(|column| attribute(table, column, option_set))
            .filter(|row| filter.is_none_or(|filter| matches(row, filter).unwrap_or(true)))
            .map(|row| Json::Object(select(row, request.option("$select"), option_set)))
            .collect();
        Ok(Reply::json(
            200,
            &json!({"@odata.context": format!("{context}('{}')/Attributes", table.logical), "value": rows}),
        ))
    }
}

fn option_set_wanted(request: &Request) -> bool {
    request.option("$expand").is_some_and(|expand| expand.contains("OptionSet"))
}

/// The table that a key names: `LogicalName='contact'` or its metadata id.
fn find(inner: &str) -> Result<&'static Table, Refusal> {
    let found = match quoted(inner, "LogicalName") {
        Some(name) => schema::table(&name),
        None => schema::tables()
            .iter()
            .find(|table| metadata_id(table.logical) == inner.to_ascii_lowercase()),
    };
    found.ok_or_else(|| {
        Refusal::new(404, "0x80060888", format!("Could not find an entity with the key {inner}."))
    })
}

/// `Name='value'` or `Name="value"`.
fn quoted(inner: &str, name: &str) -> Option<String> {
    let value = inner.trim().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
    Some(value.trim_matches(|letter| letter == '\'' || letter == '"').to_owned())
}

/// The definitions that `$filter` selects.
fn matching(request: &Request) -> Result<Vec<Json>, Refusal> {
    let mut found = Vec::new();
    for table in schema::tables() {
        let keep = match request.option("$filter") {
            None => true,
            Some(filter) => matches(&properties(table), filter)?,
        };
        if keep {
            found.push(Json::Object(definition(table, request)));
        }
    }
    Ok(found)
}

/// Comparisons with `eq` and `ne`, joined by `and` or by `or`: what metadata queries of the known
/// clients use.
fn matches(row: &Map<String, Json>, filter: &str) -> Result<bool, Refusal> {
    if filter.contains(" or ") {
        return filter.split(" or ").try_fold(false, |any, part| Ok(any | matches(row, part)?));
    }
    if filter.contains(" and ") {
        return filter.split(" and ").try_fold(true, |all, part| Ok(all & matches(row, part)?));
    }
    let words: Vec<&str> = filter
        .trim_matches(|letter: char| letter == '(' || letter == ')' || letter == ' ')
        .splitn(3, ' ')
        .collect();
    let [name, operator, value] = words.as_slice() else {
        return Err(Refusal::new(
            400,
            refusal::NO_RESOURCE,
            "The $filter of a metadata query is not understood.",
        ));
    };
    let unknown = || {
        Refusal::new(
            400,
            refusal::NO_RESOURCE,
            format!("Could not find a property named '{name}'."),
        )
    };
    let own = row.get(*name).ok_or_else(unknown)?;
    let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
    let equal = own == value.trim().trim_matches('\'');
    match *operator {
        "eq" => Ok(equal),
        "ne" => Ok(!equal),
        _ => Err(Refusal::new(
            400,
            refusal::NO_RESOURCE,
            format!("The operator '{operator}' is not supported here."),
        )),
    }
}

fn definition(table: &Table, request: &Request) -> Map<String, Json> {
    let mut body = select(properties(table), request.option("$select"), false);
    if let Some(expand) = request.option("$expand").filter(|expand| expand.contains("Attributes")) {
        let inner = expand.split_once("$select=").map(|(_, names)| names.trim_end_matches(')'));
        let rows = table
            .columns
            .iter()
            .map(|column| Json::Object(select(attribute(table, column, false), inner, false)));
        body.insert("Attributes".into(), rows.collect());
    }
    body
}

fn properties(table: &Table) -> Map<String, Json> {
    let ownership = match table.ownership {
        Ownership::User => "UserOwned",
        Ownership::Unit => "BusinessOwned",
        Ownership::Organisation => "OrganizationOwned",
        Ownership::Parent => "None",
    };
    let body = json!({
        "MetadataId": metadata_id(table.logical),
        "LogicalName": table.logical,
        "SchemaName": table.schema,
        "EntitySetName": table.set,
        "LogicalCollectionName": table.set,
        "CollectionSchemaName": table.set,
        "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.code,
        "OwnershipType": ownership,
        "IsActivity": table.activity,
        "IsCustomEntity": false,
        "IsManaged": true,
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": table.optimistic,
        "IsAvailableOffline": table.offline,
        "HasNotes": table.notes,
        "IsDuplicateDetectionEnabled": managed(table.duplicates),
        "IsValidForAdvancedFind": true,
        "DisplayName": label(table.schema),
        "DisplayCollectionName": label(table.set),
        "Description": label(table.schema),
    });
    object(body)
}

fn attribute(table: &Table, column: &Column, option_set: bool) -> Map<String, Json> {
    let (sort, cast) = kind(column);
    let mut row = object(json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{cast}"),
        "MetadataId": metadata_id(&format!("{}.{}", table.logical, column.name)),
        "LogicalName": column.name,
        "SchemaName": column.name,
        "EntityLogicalName": table.logical,
        "AttributeType": sort,
        "AttributeTypeName": {"Value": format!("{sort}Type")},
        "IsPrimaryId": column.name == table.id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsCustomAttribute": false,
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": column.read,
        "RequiredLevel": {"Value": if column.required || column.kind == Kind::Key { "SystemRequired" } else { "None" }, "CanBeChanged": false},
        "AttributeOf": null,
        "DisplayName": label(column.name),
        "Description": label(column.name),
    }));
    match column.kind {
        Kind::Text { max } | Kind::Memo { max } => {
            row.insert("MaxLength".into(), max.into());
            row.insert("DatabaseLength".into(), max.into());
        }
        Kind::Integer { min, max } => {
            row.insert("MinValue".into(), min.into());
            row.insert("MaxValue".into(), max.into());
        }
        Kind::Lookup { targets } => {
            row.insert("Targets".into(), targets.into());
        }
        Kind::Date => {
            row.insert("Format".into(), "DateOnly".into());
            row.insert("DateTimeBehavior".into(), json!({"Value": "DateOnly"}));
        }
        Kind::DateTime => {
            row.insert("Format".into(), "DateAndTime".into());
            row.insert("DateTimeBehavior".into(), json!({"Value": "UserLocal"}));
        }
        _ => {}
    }
    if option_set && let Some(options) = options(column.kind) {
        let id = metadata_id(&format!("{}.{}.options", table.logical, column.name));
        let name = format!("{}_{}", table.logical, column.name);
        row.insert("OptionSet".into(), json!({"MetadataId": id, "Name": name, "IsGlobal": false, "OptionSetType": sort, "Options": options}));
        row.insert("GlobalOptionSet".into(), Json::Null);
    }
    row
}

fn options(kind: Kind) -> Option<Vec<Json>> {
    let plain = |options: &[(i32, &str)], sort: &str| {
        let row = |(value, text): &(i32, &str)| json!({"@odata.type": format!("#Microsoft.Dynamics.CRM.{sort}"), "Value": value, "Label": label(text), "Description": label("")});
        options.iter().map(row).collect()
    };
    match kind {
        Kind::Picklist { options } => Some(plain(options, "OptionMetadata")),
        Kind::State { options } => Some(plain(options, "StateOptionMetadata")),
        Kind::Status { options } => {
            let row = |(value, state, text): &(i32, i32, &str)| json!({"@odata.type": "#Microsoft.Dynamics.CRM.StatusOptionMetadata", "Value": value, "State": state, "Label": label(text)});
            Some(options.iter().map(row).collect())
        }
        Kind::Boolean => Some(plain(&[(0, "No"), (1, "Yes")], "OptionMetadata")),
        _ => None,
    }
}

/// `AttributeType`, and the name of the metadata type that carries the details.
fn kind(column: &Column) -> (&'static str, &'static str) {
    match column.kind {
        Kind::Key | Kind::Guid => ("Uniqueidentifier", "UniqueIdentifierAttributeMetadata"),
        Kind::Text { .. } => ("String", "StringAttributeMetadata"),
        Kind::Memo { .. } => ("Memo", "MemoAttributeMetadata"),
        Kind::Integer { .. } => ("Integer", "IntegerAttributeMetadata"),
        Kind::BigInt => ("BigInt", "BigIntAttributeMetadata"),
        Kind::Boolean => ("Boolean", "BooleanAttributeMetadata"),
        Kind::DateTime | Kind::Date => ("DateTime", "DateTimeAttributeMetadata"),
        Kind::Picklist { .. } => ("Picklist", "PicklistAttributeMetadata"),
        Kind::State { .. } => ("State", "StateAttributeMetadata"),
        Kind::Status { .. } => ("Status", "StatusAttributeMetadata"),
        Kind::Lookup { .. } if column.name == "ownerid" => ("Owner", "LookupAttributeMetadata"),
        Kind::Lookup { .. } if column.name == "parentcustomerid" || column.name == "customerid" => {
            ("Customer", "LookupAttributeMetadata")
        }
        Kind::Lookup { .. } => ("Lookup", "LookupAttributeMetadata"),
        Kind::Binary => ("Virtual", "ImageAttributeMetadata"),
        Kind::EntityName => ("EntityName", "EntityNameAttributeMetadata"),
    }
}

fn related(table: &Table, part: &str) -> Vec<Json> {
    match part {
        "Keys" => {
            let key = |name: &&str| {
                json!({"LogicalName": format!("{}_{name}", table.logical), "SchemaName": format!("{}_{name}", table.schema), "KeyAttributes": [name], "EntityKeyIndexStatus": "Active",
                       "MetadataId": metadata_id(&format!("{}.{name}.key", table.logical))})
            };
            table.keys.iter().map(key).collect()
        }
        "ManyToOneRelationships" => {
            let row = |navigation: &schema::Navigation| {
                let target = |target: &&'static str| {
                    json!({
                        "SchemaName": format!("{}_{}_{}", table.logical, target, navigation.column),
                        "ReferencingEntity": table.logical,
                        "ReferencingAttribute": navigation.column,
                        "ReferencedEntity": target,
                        "ReferencedAttribute": schema::table(target).map(|table| table.id),
                        "ReferencingEntityNavigationPropertyName": navigation.name,
                    })
                };
                navigation.targets.iter().map(target).collect::<Vec<_>>()
            };
            table.navigations.iter().flat_map(row).collect()
        }
        _ => {
            let row = |collection: &schema::Collection| {
                json!({
                    "SchemaName": collection.name,
                    "ReferencedEntity": table.logical,
                    "ReferencedAttribute": table.id,
                    "ReferencingEntity": collection.table,
                    "ReferencingAttribute": collection.key,
                    "ReferencedEntityNavigationPropertyName": collection.name,
                })
            };
            table.collections.iter().map(row).collect()
        }
    }
}

/// Keeps the properties of `$select`; the id and what was expanded always stay.
fn select(row: Map<String, Json>, names: Option<&str>, option_set: bool) -> Map<String, Json> {
    let Some(names) = names else { return row };
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    row.into_iter()
        .filter(|(name, _)| {
            names.contains(&name.as_str())
                || name == "MetadataId"
                || name.starts_with('@')
                || (option_set && name.ends_with("OptionSet"))
        })
        .collect()
}

fn label(text: &str) -> Json {
    let one = json!({"Label": text, "LanguageCode": 1033, "IsManaged": true});
    json!({"LocalizedLabels": [one.clone()], "UserLocalizedLabel": one})
}

fn managed(value: bool) -> Json {
    json!({"Value": value, "CanBeChanged": true})
}

fn object(value: Json) -> Map<String, Json> {
    if let Json::Object(object) = value { object } else { Map::new() }
}

/// The same name has the same id in every organisation.
fn metadata_id(name: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).hyphenated().to_string()
}

/// `$metadata`: entity types with properties and navigation properties, and the entity sets.
pub(super) fn document() -> Reply {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices>\
         <Schema Namespace=\"Microsoft.Dynamics.CRM\" Alias=\"mscrm\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
    );
    let mut sets = String::new();
    let mut add = |table: &Table| -> std::fmt::Result {
        write!(
            xml,
            "<EntityType Name=\"{}\"><Key><PropertyRef Name=\"{}\"/></Key>",
            table.logical, table.id
        )?;
        for column in table.columns.iter().filter(|column| column.read) {
            let name = crate::sandbox::query::value::property_name(column);
            write!(xml, "<Property Name=\"{name}\" Type=\"{}\"/>", edm(column))?;
        }
        for navigation in &table.navigations {
            let target =
                if let [target] = navigation.targets.as_slice() { target } else { "crmbaseentity" };
            write!(
                xml,
                "<NavigationProperty Name=\"{}\" Type=\"mscrm.{target}\"/>",
                navigation.name
            )?;
        }
        for collection in table.collections {
            write!(
                xml,
                "<NavigationProperty Name=\"{}\" Type=\"Collection(mscrm.{})\"/>",
                collection.name, collection.table
            )?;
        }
        write!(xml, "</EntityType>")?;
        write!(
            sets,
            "<EntitySet Name=\"{}\" EntityType=\"Microsoft.Dynamics.CRM.{}\"/>",
            table.set, table.logical
        )
    };
    // Writing to a string cannot fail.
    let written = schema::tables().iter().try_for_each(&mut add);
    debug_assert!(written.is_ok());
    xml.push_str(
        "<EntityType Name=\"crmbaseentity\" Abstract=\"true\"/><EntityContainer Name=\"System\">",
    );
    xml.push_str(&sets);
    xml.push_str("</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
    Reply::typed(200, "application/xml", xml)
}
