//! The write that takes back what was done to one thing, if it still is as the round left it.

use std::collections::BTreeSet;

use super::net::{Effect, Net};
use super::{Inverse, Undo};
use crate::connector::{self, ErrorKind, Write};
use crate::mapping::{self, Change, Context};
use crate::model::{
    Address, Body, Class, Content, Document, Field, Patch, Side, Uid, Value, Version, all_of,
};
use crate::plan::merge::apply;
use crate::sync::{Engine, describe, observe};

/// Plans one inverse after the other.
pub(super) struct Planner<'e> {
    pub engine: &'e Engine,
    pub context: Context,
    pub undo: Undo,
}

/// What stands there, and what it says.
struct Here {
    document: Document,
    content: Content,
}

impl Planner<'_> {
    /// Asks the CRM whom the people in the old values are.
    pub(super) async fn meet(&mut self, nets: &[Net]) -> connector::Result<()> {
        let people = nets.iter().filter(|net| net.side == Side::Crm).flat_map(|net| {
            net.before.values().filter_map(|value| match value {
                Value::People(people) => Some(people),
                _ => None,
            })
        });
        let wanted: BTreeSet<Address> =
            people.flatten().map(|person| person.address.clone()).collect();
        if !wanted.is_empty() {
            let wanted: Vec<Address> = wanted.into_iter().collect();
            self.context.people = self.engine.crm.resolve(&wanted).await?;
        }
        Ok(())
    }

    pub(super) fn plan(
        &mut self,
        net: Net,
        here: Option<connector::Result<Document>>,
        removed: Option<Vec<u8>>,
    ) {
        let title = match &here {
            Some(Ok(document)) => observe::read(net.class, document, &self.context)
                .map(|content| describe::title(net.class, &content.fields)),
            _ if net.before.is_empty() => Ok(describe::title(net.class, &net.seen)),
            _ => Ok(describe::title(net.class, &net.before)),
        };
        let title = title.unwrap_or_else(|_| net.id.to_string());
        let named = format!("{} “{title}”", net.class);
        let planned = match (net.effect, here) {
            (Effect::Deleted, Some(Err(error))) if error.kind == ErrorKind::Missing => {
                self.restore(&net, removed)
            }
            (Effect::Deleted, Some(Ok(_))) => Err("it is there again".to_owned()),
            (Effect::Created | Effect::Updated, Some(Ok(document))) => {
                self.unchanged(&net, document).and_then(|here| match net.effect {
                    Effect::Updated => self.revert(&net, &here),
                    Effect::Created | Effect::Deleted => Ok(remove(&net, here)),
                })
            }
            (_, Some(Err(error))) if error.kind == ErrorKind::Missing => {
                Err("it is gone by now".to_owned())
            }
            (_, Some(Err(error))) => Err(error.to_string()),
            (_, None) => Err("it was not told what stands there".to_owned()),
        };
        match planned {
            Ok(inverse) => {
                let line = format!("{named}: {}", inverse.line);
                self.undo.inverses.push(Inverse { line, net, ..inverse });
            }
            Err(reason) => {
                self.undo.skipped.push(format!("{named} in {}: {reason}", net.place()));
            }
        }
    }

    /// What stands there, if it is what the round left.
    fn unchanged(&self, net: &Net, document: Document) -> Result<Here, String> {
        match &net.version {
            Some(version) if *version == document.version => {}
            Some(_) => return Err("it changed since".to_owned()),
            None => return Err("it is not known what the round left there".to_owned()),
        }
        let mut content = observe::read(net.class, &document, &self.context)?;
        if let Some(uid) = &net.uid {
            content.uid = uid.clone();
        }
        Ok(Here { document, content })
    }

    /// Writes the old values of the fields that the round changed.
    fn revert(&self, net: &Net, here: &Here) -> Result<Inverse, String> {
        let patch = net.back();
        let whole = apply(&here.content.fields, &patch);
        let uid = here.content.uid.clone();
        let change = Change { uid: &uid, patch: &patch, whole: &whole };
        let body = match &here.document.body {
            Body::Bytes(bytes) => {
                mapping::write_item(net.class, change, Some(bytes), &self.context).map(Body::Bytes)
            }
            Body::Record(record) => {
                let table = net.table().map_err(|error| error.to_string())?;
                mapping::write_record(table, change, Some(record), &self.context)
                    .map(|patch| Body::Patch(Box::new(patch)))
            }
            Body::Patch(_) => return Err("it was not read whole".to_owned()),
        };
        let body = body.map_err(|unwritable| unwritable.to_string())?;
        let (id, version) = (net.id.clone(), here.document.version.clone());
        let names: Vec<&str> = patch.keys().map(Field::as_str).collect();
        let line = format!("{} as before in {}", names.join(", "), net.place());
        let now = Some(here.content.fields.clone());
        let write = Write::Update { id, version, body };
        Ok(Inverse { line, net: net.clone(), uid, write, now, patch, removed: None })
    }

    /// Makes again what was deleted, under its old name.
    fn restore(&self, net: &Net, kept: Option<Vec<u8>>) -> Result<Inverse, String> {
        if net.class == Class::Email {
            return Err("`liaison track` files the message again".to_owned());
        }
        let Some(kept) = kept else { return Err("what was deleted was not kept".to_owned()) };
        let patch = all_of(&net.before);
        let (uid, body) = match net.side {
            Side::Mailbox => {
                let document = Document {
                    id: net.id.clone(),
                    version: Version::new(""),
                    body: Body::Bytes(kept.clone()),
                    marks: BTreeSet::new(),
                };
                let content = observe::read(net.class, &document, &self.context)?;
                (content.uid, Body::Bytes(kept))
            }
            Side::Crm => {
                let uid = Uid::new(String::from_utf8_lossy(&kept));
                let change = Change { uid: &uid, patch: &patch, whole: &net.before };
                let table = net.table().map_err(|error| error.to_string())?;
                let body = mapping::write_record(table, change, None, &self.context)
                    .map_err(|unwritable| unwritable.to_string())?;
                (uid, Body::Patch(Box::new(body)))
            }
        };
        let line = format!("make again in {}", net.place());
        let write = Write::Create { id: net.id.clone(), body };
        Ok(Inverse { line, net: net.clone(), uid, write, now: None, patch, removed: None })
    }
}

/// Deletes what the round made.
fn remove(net: &Net, here: Here) -> Inverse {
    let (id, version) = (net.id.clone(), here.document.version);
    let removed = match here.document.body {
        Body::Bytes(bytes) => Some(bytes),
        Body::Record(_) | Body::Patch(_) => Some(here.content.uid.as_str().as_bytes().to_vec()),
    };
    Inverse {
        line: format!("delete in {}", net.place()),
        net: net.clone(),
        uid: here.content.uid,
        write: Write::Delete { id, version },
        now: Some(here.content.fields),
        patch: Patch::new(),
        removed,
    }
}
