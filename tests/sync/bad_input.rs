//! Input that cannot be synced and a world that breaks: a clear sentence, nothing lost, and all well once it is mended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};

use async_trait::async_trait;
use liaison::connector::{Connector, Result, Write, Written};
use liaison::model::{Body, Class, RecordPatch, Side};
use liaison::store::quarantine::{self, Quarantined};
use liaison::sync::Progress;
use liaison::sync::report::Obstacle;
use serde_json::{Value as Json, json};

use super::world::World;
use crate::support::around::{Around, Hand};

const CONTACT: &[Class] = &[Class::Contact];

fn card(uid: &str, name: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nX-COLOUR:blue\r\nEND:VCARD\r\n"
    )
}

fn set_aside(world: &World, class: Class) -> Vec<Quarantined> {
    world.store.read_blocking(|db| quarantine::all(db, Side::Mailbox, class)).unwrap()
}

async fn contacts(world: &World) -> usize {
    world.rows("contacts?$select=lastname&$filter=lastname ne null").await.len()
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_read_is_no_empty_folder() {
    let world = World::new().await;
    for number in 0..10 {
        world.put(&format!("contacts/{number}.vcf"), &card(&number.to_string(), "Berg"));
    }
    world.first_sync(CONTACT).await;
    let before = contacts(&world).await;
    let (folder, aside) = (world.path("contacts"), world.path("aside"));
    fs::rename(&folder, &aside).unwrap();
    for wrong in ["gone", "a file"] {
        if wrong == "a file" {
            fs::write(&folder, "").unwrap();
        }
        let report = world.sync(CONTACT).await.classes.remove(&Class::Contact).unwrap();
        let error = report.error.expect("a folder that is gone is an error");
        assert!(error.message.contains("cannot read the folder"), "{wrong}: {error:?}");
        assert!(error.message.contains("contacts") && error.hint.is_some(), "{wrong}: {error:?}");
        assert_eq!((report.operations, report.held), (0, 0), "{wrong}");
    }
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    let report = world.sync(CONTACT).await;
    assert_eq!(report.operations(), 0, "{report:?}");
    assert!(report.classes[&Class::Contact].in_step(), "{report:?}");
    assert_eq!(contacts(&world).await, before);
}

/// What somebody changed in the organisation since its tables were looked at: rows are asked for what they do not say.
struct Meddling(fn(&mut RecordPatch));

#[async_trait]
impl Hand for Meddling {
    async fn write(
        &self,
        inner: &dyn Connector,
        class: Class,
        mut writes: Vec<Write>,
    ) -> Result<Vec<Result<Written>>> {
        for write in &mut writes {
            if let Write::Create { body: Body::Patch(patch), .. } = write {
                (self.0)(patch);
            }
        }
        inner.write(class, writes).await
    }
}

fn meddle(patch: &mut RecordPatch) {
    let columns = &mut patch.columns;
    match columns.get("lastname").or(columns.get("subject")).and_then(Json::as_str) {
        Some("Long") => drop(columns.insert("lastname".to_owned(), json!("l".repeat(400)))),
        Some("Option") => drop(columns.insert("gendercode".to_owned(), json!(77))),
        Some("Required") => drop(columns.remove("scheduledstart")),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_organisation_refuses_is_set_aside_and_the_rest_goes_on() {
    const CLASSES: &[Class] = &[Class::Contact, Class::Appointment];
    let mut world = World::new().await;
    for name in ["Long", "Option", "Good"] {
        world.put(&format!("contacts/{name}.vcf"), &card(name, name));
    }
    for name in ["Required", "Fine"] {
        let event = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20370101T100000Z\r\nDTEND:20370101T110000Z\r\nSUMMARY:{name}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        world.put(&format!("calendar/{name}.ics"), &event);
    }
    let before = (files(&world.path("contacts")), files(&world.path("calendar")));
    let honest = Arc::clone(&world.engine.crm);
    world.engine.crm = Arc::new(Around { inner: Arc::clone(&honest), hand: Meddling(meddle) });
    let report = world.first_sync(CLASSES).await;
    let (contact, event) = (&report.classes[&Class::Contact], &report.classes[&Class::Appointment]);
    assert_eq!((contact.linked, contact.quarantined), (1, 2), "{contact:?}");
    assert_eq!((event.linked, event.quarantined), (1, 1), "{event:?}");
    assert!(contact.error.is_none() && event.error.is_none(), "{report:?}");
    let said = |class| -> BTreeMap<String, String> {
        let aside = set_aside(&world, class).into_iter();
        aside
            .map(|aside| (aside.id.to_string(), format!("{} ({:?})", aside.reason, aside.hint)))
            .collect()
    };
    let (contacts_said, events_said) = (said(Class::Contact), said(Class::Appointment));
    for (reason, word) in [
        (&contacts_said["Long.vcf"], "lastname"),
        (&contacts_said["Option.vcf"], "gendercode"),
        (&events_said["Required.ics"], "a value is not accepted"),
    ] {
        assert!(reason.contains(word) && reason.contains("Some("), "{reason}");
        assert!(!reason.contains("llll"), "a reason quotes no content: {reason}");
    }
    let again = world.sync(CLASSES).await;
    assert_eq!(again.operations(), 0, "the same version is not tried again: {again:?}");
    assert_eq!((files(&world.path("contacts")), files(&world.path("calendar"))), before);
    let copy = world.store.copy(&world.path("copy.db")).await.unwrap();
    let looker = world.engine.on_a_copy(copy);
    for class in CLASSES {
        let verdict = looker.verify(*class).await.unwrap();
        assert!(verdict.findings.is_empty(), "what waits to be corrected is due: {verdict:?}");
    }

    world.engine.crm = honest;
    for file in ["contacts/Long.vcf", "contacts/Option.vcf", "calendar/Required.ics"] {
        let text = fs::read_to_string(world.path(file)).unwrap();
        world.put(file, &text.replace("UID:", "X-TOUCHED:1\r\nUID:"));
    }
    let report = world.sync(CLASSES).await;
    assert_eq!(report.classes[&Class::Contact].linked, 3, "{report:?}");
    assert_eq!(report.classes[&Class::Appointment].linked, 2, "{report:?}");
    assert!(report.classes.values().all(liaison::sync::ClassReport::in_step), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_with_two_uids_waits_until_it_has_one() {
    let world = World::new().await;
    world.put("contacts/good.vcf", &card("good", "Good"));
    world.put("contacts/two.vcf", &card("one\r\nUID:two", "Two"));
    let report = world.first_sync(CONTACT).await;
    assert_eq!(report.classes[&Class::Contact].linked, 1, "{report:?}");
    let aside = set_aside(&world, Class::Contact);
    assert_eq!(aside.len(), 1);
    assert!(aside[0].reason.contains("more than one UID") && aside[0].hint.is_some(), "{aside:?}");
    world.put("contacts/two.vcf", &card("one", "Two"));
    let report = world.sync(CONTACT).await;
    assert_eq!(report.classes[&Class::Contact].linked, 2, "{report:?}");
    assert!(report.classes[&Class::Contact].in_step(), "{report:?}");
    assert_eq!(contacts(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_files_with_one_uid_one_goes_over_and_the_other_waits() {
    let world = World::new().await;
    world.put("contacts/a.vcf", &card("same", "Berg"));
    world.put("contacts/b.vcf", &card("same", "Tal"));
    let before = files(&world.path("contacts"));
    let report = world.first_sync(CONTACT).await;
    assert_eq!(report.classes[&Class::Contact].linked, 1, "{report:?}");
    let aside = set_aside(&world, Class::Contact);
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(aside[0].reason, "it has the same UID as a.vcf");
    assert!(aside[0].hint.is_some());
    assert_eq!(world.sync(CONTACT).await.operations(), 0);
    assert_eq!(contacts(&world).await, 1);
    assert_eq!(files(&world.path("contacts")), before);
    // The other one takes the place of the one that is removed.
    fs::remove_file(world.path("contacts/a.vcf")).unwrap();
    world.sync(CONTACT).await;
    let report = world.sync(CONTACT).await;
    assert_eq!(report.operations(), 0, "{report:?}");
    assert!(report.classes[&Class::Contact].in_step(), "{report:?}");
    let rows = world.rows("contacts?$select=lastname&$filter=lastname ne null").await;
    assert_eq!(rows.iter().map(|row| &row["lastname"]).collect::<Vec<_>>(), ["Tal"]);
    assert_eq!(files(&world.path("contacts")).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_stops_in_the_middle_gets_nothing_twice() {
    const COUNT: usize = 1000;
    let mut world = World::new().await;
    for number in 0..COUNT {
        world.put(
            &format!("contacts/{number}.vcf"),
            &card(&format!("n{number}"), &format!("N{number}")),
        );
    }
    world.sync(CONTACT).await;
    world.approve_all();
    stop_after_the_first_batch(&mut world);
    let report = world.sync(CONTACT).await.classes.remove(&Class::Contact).unwrap();
    let error = report.error.clone().expect("an organisation that does not answer is an error");
    assert_eq!(error.kind, Obstacle::Later, "{error:?}");
    assert!(report.linked > 0 && report.linked < COUNT, "{report:?}");
    assert_eq!(report.quarantined, 0, "an item is not to blame: {report:?}");

    world.engine.progress = Arc::new(|_| {});
    world.start_again().await;
    let report = world.sync(CONTACT).await;
    assert_eq!(report.classes[&Class::Contact].linked, COUNT, "{report:?}");
    let quiet = world.sync(CONTACT).await;
    assert_eq!(quiet.operations(), 0, "{quiet:?}");
    assert!(quiet.classes[&Class::Contact].in_step(), "{quiet:?}");
    assert_eq!(contacts(&world).await, COUNT);
    assert_eq!(files(&world.path("contacts")).len(), COUNT);
}

/// Stops the organisation as soon as one batch is written; the engine goes on only when it has stopped.
fn stop_after_the_first_batch(world: &mut World) {
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let (stopped, wait) = mpsc::channel::<()>();
    let running = world.sandbox.take().unwrap();
    tokio::spawn(async move {
        stopping.await.unwrap();
        running.stop().await.unwrap();
        stopped.send(()).unwrap();
    });
    let first = Mutex::new(Some((stop, wait)));
    world.engine.progress = Arc::new(move |progress| {
        if let Progress::Writing { .. } = progress
            && let Some((stop, wait)) = first.lock().unwrap().take()
        {
            stop.send(()).unwrap();
            tokio::task::block_in_place(|| wait.recv().unwrap());
        }
    });
}

/// Where the test below finds a disk of a few MiB.
const SMALL_DISK: &str = "LIAISON_SMALL_DISK";
const ORGANISATION: &str = "LIAISON_ORGANISATION";

/// Runs [`on_a_small_disk`] in a mount namespace of its own, with a small tmpfs that vanishes with it.
#[test]
fn a_full_disk_loses_nothing() {
    let (disk, organisation) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = "mount -t tmpfs -o size=16m none \"$LIAISON_SMALL_DISK\" && exec \"$0\" --exact sync::bad_input::on_a_small_disk --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, disk.path())
        .env(ORGANISATION, organisation.path())
        .output()
        .expect("this test needs the command `unshare` (package util-linux)");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "the test on the small disk failed, or user namespaces are not allowed here (sysctl kernel.unprivileged_userns_clone=1)"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_full_disk_loses_nothing, on a disk of its own"]
async fn on_a_small_disk() {
    let (Some(disk), Some(organisation)) =
        (std::env::var_os(SMALL_DISK), std::env::var_os(ORGANISATION))
    else {
        panic!("only a_full_disk_loses_nothing runs this");
    };
    let mut world =
        World::with_organisation_and_home(Path::new(&organisation), Path::new(&disk)).await;
    world.put("contacts/first.vcf", &card("first", "First"));
    world.first_sync(CONTACT).await;
    let mut expected = 1;
    let mut failed = 0;
    for (number, room) in [0, 16, 64, 160, 200, 240, 280, 320, 400].into_iter().enumerate() {
        for each in 0..20 {
            let name = format!("r{number}e{each}");
            world.put(&format!("contacts/{name}.vcf"), &card(&name, &name));
            world
                .send("anna", "POST", "contacts", json!({ "lastname": format!("crm-{name}") }))
                .await;
        }
        expected += 40;
        let before = files(&world.path("contacts"));
        let ballast = fill(Path::new(&disk), room);
        let outcome = world.engine.sync(CONTACT, "test").await;
        let said = match &outcome {
            Err(error) => Some(format!("{error} {}", error.hint().unwrap_or_default())),
            Ok(report) => report.classes[&Class::Contact].error.as_ref().map(|error| {
                format!("{} {}", error.message, error.hint.clone().unwrap_or_default())
            }),
        };
        println!("with {room} KiB of room: {said:?}");
        if let Some(said) = &said {
            failed += 1;
            assert!(said.contains("disk"), "{said}");
        }
        let after = files(&world.path("contacts"));
        assert!(
            before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)),
            "a file was lost"
        );
        fs::remove_file(ballast).unwrap();
        world.sync(CONTACT).await;
        let quiet = world.sync(CONTACT).await;
        assert_eq!(quiet.operations(), 0, "{quiet:?}");
        assert!(quiet.classes[&Class::Contact].in_step(), "{quiet:?}");
        assert_eq!(contacts(&world).await, expected);
        let names = fs::read_dir(world.path("contacts")).unwrap();
        let whole = names.filter(|name| {
            name.as_ref().unwrap().path().extension().is_some_and(|end| end == "vcf")
        });
        assert_eq!(whole.count(), expected);
    }
    assert!(failed >= 3, "only {failed} rounds met the full disk");
    world.store.verify().await.unwrap();
    world.restart().await;
    assert_eq!(world.sync(CONTACT).await.operations(), 0);
}

/// Fills the disk but for some KiB.
fn fill(disk: &Path, room: usize) -> PathBuf {
    use std::io::Write as _;
    let path = disk.join("ballast");
    let mut file = fs::File::create(&path).unwrap();
    let block = [0u8; 4096];
    while file.write_all(&block).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length - (room as u64) * 1024).unwrap();
    path
}
