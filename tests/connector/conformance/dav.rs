//! CalDAV and CardDAV servers, each with contacts and one kind of calendar item: the three differ in no more than that. With Python's `http.client` as the other program.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liaison::clock::Clock;
use liaison::connector::Connector;
use liaison::connector::auth::Account;
use liaison::connector::dav::{self, Dav};
use liaison::model::Class;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::conform;
use super::subject::{Elsewhere, Subject, is};
use crate::support::servers::cyrus::{self, Cyrus};
use crate::support::servers::radicale::Radicale;
use crate::support::servers::xandikos::Xandikos;
use crate::support::servers::{account, elsewhere, stranger};

#[tokio::test(flavor = "multi_thread")]
async fn radicale_holds_contacts() {
    conform(&radicale(Class::Contact, "contacts")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn radicale_holds_appointments() {
    conform(&radicale(Class::Appointment, "calendar")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn xandikos_holds_contacts() {
    conform(&xandikos(Class::Contact)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn xandikos_holds_tasks() {
    conform(&xandikos(Class::Task)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cyrus_holds_contacts() {
    conform(&cyrus(Class::Contact)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cyrus_holds_appointments() {
    conform(&cyrus(Class::Appointment)).await;
}

fn radicale(class: Class, name: &str) -> Subject {
    let server = Radicale::start();
    let url = server.collection("anna", name);
    let server = Mutex::new(server);
    let serve = move |up: bool| {
        let mut server = server.lock().unwrap();
        if up { server.resume() } else { server.stop() }
    };
    subject("Radicale", class, url, true, Box::new(serve))
}

fn xandikos(class: Class) -> Subject {
    let server = Xandikos::start();
    let url = if class == Class::Contact { server.address_book() } else { server.calendar() };
    let server = Mutex::new(server);
    let serve = move |up: bool| {
        let mut server = server.lock().unwrap();
        if up { server.resume() } else { server.stop() }
    };
    subject("Xandikos", class, url, false, Box::new(serve))
}

fn cyrus(class: Class) -> Subject {
    let server = Cyrus::start(cyrus::Options::default());
    let url = match class {
        Class::Contact => server.address_book("anna", "Default"),
        _ => server.calendar("anna", "Default"),
    };
    let server = Mutex::new(server);
    let serve = move |up: bool| {
        let mut server = server.lock().unwrap();
        if up { server.resume() } else { server.stop() }
    };
    subject("Cyrus", class, url, true, Box::new(serve))
}

fn subject(
    name: &'static str,
    class: Class,
    url: String,
    has_accounts: bool,
    serve: Box<dyn Fn(bool) + Send + Sync>,
) -> Subject {
    let address = url.clone();
    let connect = move |account: Option<Account>| -> Arc<dyn Connector> {
        let mut options = dav::Options::new(address.clone(), [class]);
        options.account = account;
        options.pause = Duration::from_secs(2);
        Arc::new(Dav::new(options, Clock::system()).unwrap())
    };
    let strange = connect.clone();
    let stranger: Box<dyn Fn() -> Arc<dyn Connector> + Send + Sync> =
        Box::new(move || strange(Some(stranger("anna"))));
    Subject {
        name,
        class,
        connect: Box::new(move || connect(has_accounts.then(|| account("anna")))),
        stranger: has_accounts.then_some(stranger),
        serve,
        elsewhere: Box::new(Collection { url, class, client: elsewhere::Dav::new("anna") }),
        wire: true,
        takes_anything: false,
        many: 120,
    }
}

/// Another client of the same collection.
struct Collection {
    url: String,
    class: Class,
    client: elsewhere::Dav,
}

impl Collection {
    fn content_type(&self) -> &'static str {
        if self.class == Class::Contact { "text/vcard" } else { "text/calendar" }
    }

    fn new_url(&self, name: &str) -> String {
        let extension = if self.class == Class::Contact { "vcf" } else { "ics" };
        format!("{}{}.{extension}", self.url, utf8_percent_encode(name, NON_ALPHANUMERIC))
    }

    fn urls(&self) -> Vec<String> {
        let host: String = self.url.split('/').take(3).collect::<Vec<_>>().join("/");
        self.client.list(&self.url).into_iter().map(|path| format!("{host}{path}")).collect()
    }

    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let urls = self.urls();
        let requests: Vec<_> =
            urls.iter().map(|url| ("GET", url.as_str(), [].as_slice(), [].as_slice())).collect();
        let bodies = self.client.requests(&requests).into_iter().map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        });
        urls.iter().cloned().zip(bodies).collect()
    }
}

impl Elsewhere for Collection {
    fn put(&self, items: &[(&str, Vec<u8>)]) {
        let there = self.all();
        let urls: Vec<String> = items
            .iter()
            .map(|(uid, _)| {
                let known =
                    there.iter().find(|(_, body)| is(body, uid)).map(|(url, _)| url.clone());
                known.unwrap_or_else(|| self.new_url(&format!("their {uid}")))
            })
            .collect();
        let items: Vec<(&str, &[u8])> = urls
            .iter()
            .zip(items)
            .map(|(url, (_, body))| (url.as_str(), body.as_slice()))
            .collect();
        self.client.put_all(self.content_type(), &items);
    }

    fn put_as(&self, name: &str, _uid: &str, body: &[u8]) -> bool {
        let headers = [("Content-Type", self.content_type())];
        let url = self.new_url(name);
        let answer = self.client.requests(&[("PUT", &url, &headers, body)]).remove(0);
        // Cyrus fails with 500 where it should refuse, and lists some names so that it does not find them again.
        if answer.status >= 300 {
            return false;
        }
        let is_found = self.urls().iter().all(|url| self.client.get(url).status == 200);
        if !is_found {
            self.client.delete(&url);
        }
        is_found
    }

    fn delete(&self, uid: &str) {
        let found = self.all().into_iter().find(|(_, body)| is(body, uid));
        self.client.delete(&found.expect("it is there").0);
    }

    fn clear(&self) {
        let urls = self.urls();
        let requests: Vec<_> =
            urls.iter().map(|url| ("DELETE", url.as_str(), [].as_slice(), [].as_slice())).collect();
        for answer in self.client.requests(&requests) {
            assert!((200..300).contains(&answer.status), "{answer:?}");
        }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.all().into_iter().map(|(_, body)| body).collect()
    }

    fn mark(&self, _uid: &str, _mark: &str, _set: bool) {
        panic!("these items have no marks")
    }

    fn marks(&self, _uid: &str) -> Vec<String> {
        panic!("these items have no marks")
    }
}
