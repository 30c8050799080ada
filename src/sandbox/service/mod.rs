//! The Web API: an operation comes in, an answer goes out. It decides what a method means on what
//! the path names; sockets, tokens and limits are elsewhere.

use crate::sandbox::query::Scope;
use crate::sandbox::record::reference;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::Table;
use crate::sandbox::security::Caller;
use crate::sandbox::store::Context;

mod action;
pub mod batch;
mod delta;
pub mod message;
mod metadata;
mod read;
mod sql;
mod target;
mod write;

use message::{Method, Reply, Request};
use target::Target;

/// Carries out one operation: all of it, or nothing and a refusal.
pub fn perform(context: &mut Context<'_>, request: &Request) -> Reply {
    let done = match request.method {
        Method::Get => dispatch(context, request),
        Method::Post | Method::Patch | Method::Put | Method::Delete => {
            context.atomic(|context| dispatch(context, request))
        }
    };
    done.unwrap_or_else(|refusal| Reply::refused(&refusal, request))
}

fn dispatch(context: &mut Context<'_>, request: &Request) -> Result<Reply, Refusal> {
    match (request.method, target::parse(&request.path)?) {
        (Method::Get, Target::Service) => Ok(metadata::service(&request.base)),
        (Method::Get, Target::Metadata) => Ok(metadata::document()),
        (Method::Get, Target::Definitions(segments)) => metadata::definitions(request, &segments),
        (Method::Get, Target::Set(table)) => read::list(context, request, table),
        (Method::Get, Target::Count(table)) => read::count(context, request, table),
        (Method::Get, Target::Row(table, key)) => read::row(context, request, table, &key),
        (Method::Get, Target::Part { table, key, name, rest }) => {
            let id = reference::resolve(context, table, &key)?;
            read::part(context, request, &read::Part { table, id: &id, name: &name, rest: &rest })
        }
        (Method::Post, Target::Set(table)) => write::create(context, request, table),
        (Method::Patch, Target::Row(table, key)) => write::patch(context, request, table, &key),
        (Method::Delete, Target::Row(table, key)) => write::delete(context, request, table, &key),
        (Method::Post | Method::Put | Method::Delete, Target::Part { table, key, name, rest }) => {
            let id = reference::resolve(context, table, &key)?;
            write::part(context, request, &read::Part { table, id: &id, name: &name, rest: &rest })
        }
        (Method::Get | Method::Post, Target::Call { bound, name, arguments }) => {
            let bound = match bound {
                None => action::Bound::Nothing,
                Some((table, None)) => action::Bound::Table(table),
                Some((table, Some(key))) => {
                    action::Bound::Row(table, reference::resolve(context, table, &key)?)
                }
            };
            action::call(context, request, &action::Call { bound, name, arguments })
        }
        _ => Err(Refusal::new(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
    }
}

/// Runs `work` with the scope of a query by this caller.
fn scoped<T>(
    context: &Context<'_>,
    request: &Request,
    work: impl FnOnce(&Scope<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let caller: &Caller = &context.caller;
    let annotations = request.annotations();
    let now = jiff::Timestamp::from_second(context.now)
        .map_err(|_| Refusal::argument("The clock is out of range."))?;
    work(&Scope {
        user: &caller.id,
        business_unit: &caller.unit,
        base: &request.base,
        annotations: &annotations,
        page_size: request.page_size(),
        now,
        readable: &|table: &Table, alias: &str| caller.readable(table, alias),
    })
}
