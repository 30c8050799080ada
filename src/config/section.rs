//! Reading a tree by asking it: what was asked for is what is known, so that the code which reads a setting is the one
//! place where it is defined, and every key that nobody asked for is an error. Knows no setting.

use std::cell::RefCell;
use std::path::Path;

use super::DEFAULT;
use super::error::{Error, Result, did_you_mean};
use super::load::{Effective, Origin};
use super::tree::{self, Layer, Node, Place, Table, Value};

/// What all sections of one configuration share.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) effective: RefCell<Vec<Effective>>,
}

impl Reading<'_> {
    /// An error about what stands at `place`.
    pub(super) fn error(&self, place: Place, message: impl Into<String>) -> Error {
        let (file, text) = match place.layer {
            Layer::Default => (Path::new("config/default.toml"), DEFAULT),
            Layer::File => (self.file, self.text),
        };
        Error::new(file, message).at(tree::position(text, place.offset))
    }

    fn show(&self, key: String, node: Option<&Node>) {
        let origin = match node.map(|node| node.place) {
            Some(Place { layer: Layer::File, offset }) => {
                Origin::File { line: tree::position(self.text, offset).line }
            }
            _ => Origin::Default,
        };
        let value = node.map(ToString::to_string);
        self.effective.borrow_mut().push(Effective { key, value, origin });
    }
}

/// A table that is being read. Ends with [`Section::finish`], or keys of the user's would be passed over in silence.
#[derive(Debug)]
#[must_use]
pub(super) struct Section<'a> {
    pub(super) reading: &'a Reading<'a>,
    pub(super) path: String,
    /// Where it starts; `None` for the file as a whole and for sections that nobody wrote.
    pub(super) place: Option<Place>,
    table: &'a Table,
    asked: Vec<&'static str>,
    /// Whether its values are listed one by one; those of a list's elements are listed with the list.
    shown: bool,
}

impl<'a> Section<'a> {
    pub(super) fn root(reading: &'a Reading<'a>, table: &'a Table) -> Self {
        Self { reading, path: String::new(), place: None, table, asked: Vec::new(), shown: true }
    }

    /// A text, if there is one.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<(&'a str, Place)>> {
        self.value(key, "text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Result<(&'a str, Place)> {
        let text = self.text(key)?;
        text.ok_or_else(|| self.missing(key))
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<(bool, Place)>> {
        self.value(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A whole number, not negative and at most `max`; it must be there.
    pub(super) fn number(&mut self, key: &'static str, max: u64) -> Result<u64> {
        self.optional_number(key, max)?.ok_or_else(|| self.missing(key))
    }

    /// As [`Section::number`], if there is one.
    pub(super) fn optional_number(&mut self, key: &'static str, max: u64) -> Result<Option<u64>> {
        let number = self.value(key, "a whole number", |value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })?;
        let Some((number, place)) = number else { return Ok(None) };
        let positive = u64::try_from(number).ok().filter(|number| *number <= max);
        positive.map(Some).ok_or_else(|| {
            self.reading.error(place, format!("`{key}` is a number from 0 to {max}, not {number}"))
        })
    }

    /// Where a text stands that should be a table.
    pub(super) fn place_of_text(&self, key: &str) -> Option<Place> {
        let node = self.table.get(key)?;
        matches!(node.value, Value::Text(_)).then_some(node.place)
    }

    /// One of some words; it must be there.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Result<T> {
        let (text, place) = self.required(key)?;
        self.one_of(key, text, place, words)
    }

    /// What a word stands for.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &str,
        text: &str,
        place: Place,
        words: &[(&str, T)],
    ) -> Result<T> {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let error = self.reading.error(place, format!("`{key}` cannot be `{text}`"));
            error.hint(did_you_mean(text, known))
        })
    }

    /// A list; it must be there.
    pub(super) fn list(&mut self, key: &'static str) -> Result<&'a [Node]> {
        self.optional_list(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list, if there is one.
    pub(super) fn optional_list(&mut self, key: &'static str) -> Result<Option<&'a [Node]>> {
        let list = self.value(key, "a list", |value| match value {
            Value::List(nodes) => Some(nodes.as_slice()),
            _ => None,
        })?;
        Ok(list.map(|(nodes, _)| nodes))
    }

    /// A table inside of this one, if there is one.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Option<Self>> {
        self.asked.push(key);
        self.table.get(key).map(|node| self.inside(key, node)).transpose()
    }

    /// The tables inside of one whose keys are names of the user's choice.
    pub(super) fn named(&mut self, key: &'static str) -> Result<Vec<(&'a str, Self)>> {
        let Some(section) = self.section(key)? else { return Ok(Vec::new()) };
        let nodes = section.table.iter();
        nodes.map(|(name, node)| Ok((name.as_str(), section.inside(name, node)?))).collect()
    }

    /// Everything in this table, whatever it is called.
    pub(super) fn all(self) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let Self { reading, path, table, .. } = self;
        table.iter().map(move |(key, node)| {
            reading.show(join(&path, key), Some(node));
            (key.as_str(), node)
        })
    }

    /// A table that stands in a list.
    pub(super) fn element(&self, key: &str, node: &'a Node) -> Result<Self> {
        Ok(Self { shown: false, ..self.inside(key, node)? })
    }

    /// An error about this section as a whole.
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        match self.place {
            Some(place) => self.reading.error(place, message),
            None => Error::new(self.reading.file, message),
        }
    }

    /// That a key must be there and is not.
    pub(super) fn missing(&self, key: &str) -> Error {
        let path = &self.path;
        if path.is_empty() {
            self.error(format!("`[{key}]` is missing"))
        } else {
            self.error(format!("`{key}` is missing in `[{path}]`"))
        }
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) -> Result<()> {
        let unknown = self.table.iter().find(|(key, _)| !self.asked.contains(&key.as_str()));
        let Some((key, node)) = unknown else { return Ok(()) };
        let place = node.place;
        if SECRETS.contains(&key.to_lowercase().as_str()) {
            let message = format!("`{key}`: secrets are not kept in this file");
            return Err(self.reading.error(place, message).hint(
                "sign in instead (auth = { kind = \"oauth\", … }), or name a command that prints it (auth = { kind = \"token\", command = \"…\" }); \
                 then change the secret, since it stood in a file",
            ));
        }
        let inside =
            if self.path.is_empty() { String::new() } else { format!(" in `[{}]`", self.path) };
        let error = self.reading.error(place, format!("unknown key `{key}`{inside}"));
        Err(error.hint(did_you_mean(key, self.asked.iter().copied())))
    }

    fn inside(&self, key: &str, node: &'a Node) -> Result<Self> {
        let path = join(&self.path, key);
        match &node.value {
            Value::Table(table) => Ok(Self {
                reading: self.reading,
                path,
                place: Some(node.place),
                table,
                asked: Vec::new(),
                shown: self.shown,
            }),
            other => Err(self
                .reading
                .error(node.place, format!("`{path}` is a table, not {}", other.kind()))),
        }
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<(T, Place)>> {
        self.asked.push(key);
        let node = self.table.get(key);
        if self.shown {
            self.reading.show(join(&self.path, key), node);
        }
        let Some(node) = node else { return Ok(None) };
        match read(&node.value) {
            Some(value) => Ok(Some((value, node.place))),
            None => Err(self.reading.error(
                node.place,
                format!("`{}` is {kind}, not {}", join(&self.path, key), node.value.kind()),
            )),
        }
    }
}

/// Keys under which people write down secrets.
const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "bearer",
];

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
