//! The face as the panel gets it: a status notifier item with a menu. Translates; decides nothing.

use ksni::menu::{MenuItem, StandardItem};
use ksni::{Category, Icon as Pixmap, ToolTip, Tray};
use tokio::sync::mpsc;

use super::face::{Action, Entry, Face};
use super::icon::SIZES;

/// What is in the panel.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) face: Face,
    /// Where the chosen entries go.
    pub(crate) chosen: mpsc::Sender<Action>,
}

impl Tray for Item {
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "liaison".to_owned()
    }

    fn title(&self) -> String {
        "Liaison".to_owned()
    }

    fn category(&self) -> Category {
        Category::Communications
    }

    fn status(&self) -> ksni::Status {
        if self.face.is_urgent { ksni::Status::NeedsAttention } else { ksni::Status::Active }
    }

    fn icon_pixmap(&self) -> Vec<Pixmap> {
        let pixmap = |size: u8| Pixmap {
            width: i32::from(size),
            height: i32::from(size),
            data: self.face.icon.pixels(size),
        };
        SIZES.into_iter().map(pixmap).collect()
    }

    /// The same: it is urgent enough by itself.
    fn attention_icon_pixmap(&self) -> Vec<Pixmap> {
        self.icon_pixmap()
    }

    fn tool_tip(&self) -> ToolTip {
        let details: Vec<String> = self.face.details.iter().map(|line| escaped(line)).collect();
        ToolTip {
            title: self.face.sentence.clone(),
            description: details.join("\n"),
            ..ToolTip::default()
        }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.face.menu.iter().map(menu_item).collect()
    }
}

fn menu_item(entry: &Entry) -> MenuItem<Item> {
    match entry {
        Entry::Line => MenuItem::Separator,
        Entry::Says(text) => {
            StandardItem { label: label(text), enabled: false, ..StandardItem::default() }.into()
        }
        Entry::Does(text, action) => {
            let action = *action;
            let activate = move |item: &mut Item| {
                // Who clicks faster than that has been heard.
                if item.chosen.try_send(action).is_err() {
                    tracing::debug!(?action, "too many clicks");
                }
            };
            let activate = Box::new(activate);
            StandardItem { label: label(text), activate, ..StandardItem::default() }.into()
        }
    }
}

/// In labels of menus a single underscore marks a key (com.canonical.dbusmenu).
fn label(text: &str) -> String {
    text.replace('_', "__")
}

/// Texts of tooltips and notifications may contain markup (both specifications of freedesktop.org); ours contain none.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use liaison::ipc::wire::{NeedKind, State};

    use super::*;
    use crate::face::tests::status;
    use crate::link::Link;

    fn item(status: liaison::ipc::wire::Status) -> (Item, mpsc::Receiver<Action>) {
        let (chosen, receiver) = mpsc::channel(4);
        (Item { face: Face::of(&Link::Up(Box::new(status))), chosen }, receiver)
    }

    #[test]
    fn texts_are_shown_as_they_are() {
        let mut hostile = status(State::Held, &[(NeedKind::Approve, 2)]);
        hostile.sentence = "my_org waits".to_owned();
        hostile.needs[0].text = "<b>R&D</b>".to_owned();
        let (item, _) = item(hostile);
        let MenuItem::Standard(first) = item.menu().remove(0) else { panic!() };
        assert_eq!((first.label.as_str(), first.enabled), ("My__org waits", false));
        assert!(item.tool_tip().description.starts_with("&lt;b&gt;R&amp;D&lt;/b&gt;\n"));
        assert_eq!(item.status(), ksni::Status::NeedsAttention);
    }

    #[test]
    fn a_chosen_entry_is_passed_on() {
        let (mut item, mut chosen) = item(status(State::InStep, &[]));
        let MenuItem::Standard(last) = item.menu().pop().unwrap() else { panic!() };
        (last.activate)(&mut item);
        assert_eq!(chosen.try_recv(), Ok(Action::Quit));
    }
}
