//! Properties that mean the same in appointments and tasks: texts, priority.

use mail_parser::decoders::html::html_to_text;

use crate::mapping::text::{Component, Edits, Line, Text, escape, unescape};
use crate::model::Value;

use super::set;

/// What a TEXT property of this name says.
pub fn text(text: &Text<'_>, component: &Component, name: &str) -> Option<Value> {
    let (_, line) = text.property(component, name)?;
    Value::text(&unescape(line.value()))
}

/// A TEXT property in one line, or `None` when it is empty.
pub fn plain(line: &Line) -> Option<String> {
    let text = unescape(line.value()).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// What a component describes itself as, in readable text: `DESCRIPTION`, else the HTML that Outlook puts beside it.
pub fn description(text: &Text<'_>, component: &Component) -> Option<Value> {
    self::text(text, component, "DESCRIPTION")
        .or_else(|| self::text(text, component, "X-ALT-DESC"))
        .and_then(readable)
}

/// A text that is HTML as what a reader would see of it; any other as it is.
pub fn readable(value: Value) -> Option<Value> {
    /// HTML in HTML happens; more than that is not worth a look.
    const PASSES: usize = 4;
    let Value::Text(mut text) = value else { return Some(value) };
    for _ in 0..PASSES {
        if !is_html(&text) {
            break;
        }
        html_to_text(&text).trim().clone_into(&mut text);
    }
    Value::text(&text)
}

/// Whether a text is HTML: it begins with a tag and has the end of one.
fn is_html(text: &str) -> bool {
    const TAGS: &[&str] = &[
        "!doctype", "html", "head", "body", "div", "p", "span", "table", "font", "meta", "style",
        "br", "ul", "ol", "b", "i", "u", "a", "h1", "h2", "h3", "h4", "pre", "center", "strong",
        "em", "!--",
    ];
    let Some(rest) = text.trim_start().strip_prefix('<') else { return false };
    let end = rest.find(|c: char| c == '>' || c == '/' || c.is_whitespace()).unwrap_or(rest.len());
    let name = rest.get(..end).unwrap_or_default().to_ascii_lowercase();
    let closed =
        rest.contains("</") || rest.contains("/>") || rest.to_ascii_lowercase().contains("<br>");
    closed && TAGS.contains(&name.as_str())
}

/// Writes a TEXT property; `None` takes it out. A cut text leaves the whole one alone.
pub fn set_text(
    edits: &mut Edits,
    file: &Text<'_>,
    component: &Component,
    name: &str,
    value: Option<&Value>,
) {
    let line = match value {
        None => None,
        Some(Value::Text(text)) => Some(match file.property(component, name) {
            // The text behind ALTREP says what this one said before.
            Some((_, line)) => line.clone().without_param("ALTREP").with_value(escape(text)),
            None => Line::new(name, escape(text)),
        }),
        Some(_) => return,
    };
    set(edits, file, component, name, line);
}

/// Writes the description. The HTML beside it would contradict it and goes.
pub fn set_description(
    edits: &mut Edits,
    file: &Text<'_>,
    component: &Component,
    value: Option<&Value>,
) {
    if matches!(value, None | Some(Value::Text(_))) {
        set_text(edits, file, component, "DESCRIPTION", value);
        set(edits, file, component, "X-ALT-DESC", None);
    }
}

/// `prioritycode` of a component: 0 low, 2 high. Normal is no value.
pub fn priority(text: &Text<'_>, component: &Component) -> Option<Value> {
    let (_, line) = text.property(component, "PRIORITY")?;
    match line.value().trim().parse::<u8>().ok()? {
        1..=4 => Some(Value::Number(2)),
        6..=9 => Some(Value::Number(0)),
        _ => None,
    }
}

/// Writes the priority, in the finer steps of iCalendar only where they say something else than before.
pub fn set_priority(
    edits: &mut Edits,
    file: &Text<'_>,
    component: &Component,
    value: Option<&Value>,
) {
    let value = value.filter(|value| **value != Value::Number(1));
    if priority(file, component).as_ref() == value {
        return;
    }
    let number = match value {
        Some(Value::Number(0)) => "9",
        Some(Value::Number(2)) => "1",
        _ => "5",
    };
    let line = match file.property(component, "PRIORITY") {
        Some((_, line)) => line.clone().with_value(number),
        None => Line::new("PRIORITY", number),
    };
    set(edits, file, component, "PRIORITY", Some(line));
}
