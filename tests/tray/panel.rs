//! What a panel sees of an item, and what it does when somebody clicks: the interfaces `org.kde.StatusNotifierItem` and
//! `com.canonical.dbusmenu`, spoken by hand.

use std::collections::BTreeMap;

use zbus::zvariant::{OwnedValue, Structure, Value};
use zbus::{Connection, Proxy};

use super::program::{Session, Tray, until};

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: i32,
    pub label: String,
    pub enabled: bool,
}

/// The item of a tray.
pub struct Item {
    item: Proxy<'static>,
    menu: Proxy<'static>,
}

/// An entry with all below it: number, properties, entries.
type Layout = (i32, BTreeMap<String, OwnedValue>, Vec<OwnedValue>);

/// Width, height and bytes.
type Picture = (i32, i32, Vec<u8>);

impl Item {
    /// Waits for the item of a tray.
    pub async fn of(session: &Session, tray: &Tray) -> Self {
        let name = format!("org.kde.StatusNotifierItem-{}-1", tray.process());
        let bus = zbus::fdo::DBusProxy::new(&session.connection).await.unwrap();
        until("an item on the bus", async || {
            bus.name_has_owner(name.as_str().try_into().unwrap()).await.unwrap()
        })
        .await;
        let connection = &session.connection;
        Self {
            item: proxy(connection, &name, "/StatusNotifierItem", "org.kde.StatusNotifierItem")
                .await,
            menu: proxy(connection, &name, "/MenuBar", "com.canonical.dbusmenu").await,
        }
    }

    /// The menu, without its lines.
    pub async fn menu(&self) -> Vec<Entry> {
        let none: Vec<&str> = Vec::new();
        let (_, (_, _, entries)): (u32, Layout) =
            self.menu.call("GetLayout", &(0_i32, -1_i32, none)).await.unwrap();
        let entries = entries.into_iter().map(|entry| {
            let fields = Structure::try_from(entry).unwrap().into_fields();
            let [Value::I32(id), Value::Dict(properties), _] = &fields[..] else { panic!() };
            let properties: BTreeMap<String, OwnedValue> =
                properties.try_clone().unwrap().try_into().unwrap();
            let text =
                |name: &str| properties.get(name).map(|it| String::try_from(it.clone()).unwrap());
            let enabled = properties.get("enabled").is_none_or(|it| bool::try_from(it).unwrap());
            let label = text("label").unwrap_or_default();
            (text("type").as_deref() != Some("separator")).then_some(Entry {
                id: *id,
                label,
                enabled,
            })
        });
        entries.flatten().collect()
    }

    pub async fn labels(&self) -> Vec<String> {
        self.menu().await.into_iter().map(|entry| entry.label).collect()
    }

    /// Waits for an entry that can be chosen, and chooses it.
    pub async fn click(&self, label: &str) {
        until(&format!("the entry {label}"), async || {
            self.menu().await.iter().any(|entry| entry.label == label && entry.enabled)
        })
        .await;
        let entry = self.menu().await.into_iter().find(|entry| entry.label == label).unwrap();
        let clicked = (entry.id, "clicked", Value::from(0_i32), 0_u32);
        let () = self.menu.call("Event", &clicked).await.unwrap();
    }

    /// Waits until the first line of the menu is this.
    pub async fn says(&self, sentence: &str) {
        until(sentence, async || self.labels().await.first().is_some_and(|it| it == sentence))
            .await;
    }

    pub async fn status(&self) -> String {
        self.item.get_property("Status").await.unwrap()
    }

    /// Title and text of the tooltip.
    pub async fn tooltip(&self) -> (String, String) {
        let tooltip: (String, Vec<Picture>, String, String) =
            OwnedValue::try_into(self.item.get_property("ToolTip").await.unwrap()).unwrap();
        (tooltip.2, tooltip.3)
    }

    /// The pictures: their heights and bytes.
    pub async fn pictures(&self) -> BTreeMap<i32, Vec<u8>> {
        let pictures: Vec<Picture> =
            OwnedValue::try_into(self.item.get_property("IconPixmap").await.unwrap()).unwrap();
        pictures.into_iter().map(|(width, _, bytes)| (width, bytes)).collect()
    }
}

async fn proxy(
    connection: &Connection,
    name: &str,
    path: &'static str,
    interface: &'static str,
) -> Proxy<'static> {
    let builder = zbus::proxy::Builder::<Proxy<'_>>::new(connection);
    let builder = builder.destination(name.to_owned()).unwrap();
    let builder = builder.path(path).unwrap().interface(interface).unwrap();
    builder.cache_properties(zbus::proxy::CacheProperties::No).build().await.unwrap()
}
