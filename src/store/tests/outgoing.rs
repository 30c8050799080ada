//! Mails on their way out: only what loses no certainty is possible.

use super::{at, in_a_store, item};
use crate::model::{Address, Uid};
use crate::store::outgoing::{self, Frozen, Mail, State};
use crate::store::{ErrorKind, Result, Transaction};

fn frozen(record: &str, bytes: &[u8]) -> Frozen {
    let address = |text| Address::parse(text).unwrap();
    Frozen {
        record: item(record),
        uid: Uid::new("one@x"),
        title: "Offer".to_owned(),
        sender: address("anna@x"),
        recipients: vec![address("bo@x"), address("hidden@x")],
        message: bytes.into(),
    }
}

fn of(tx: &Transaction<'_>, record: &str) -> Result<Mail> {
    Ok(outgoing::of(tx, &item(record))?.unwrap())
}

fn refuses<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.unwrap_err().kind, kind);
}

#[test]
fn a_mail_goes_its_way_and_is_kept_without_its_bytes() {
    in_a_store(|tx, _| {
        let id = outgoing::freeze(tx, &frozen("email/1", b"old"), at(1))?;
        assert_eq!(outgoing::freeze(tx, &frozen("email/1", b"bytes"), at(2))?, id);
        assert_eq!(&*outgoing::message(tx, id)?, b"bytes");
        assert_eq!(of(tx, "email/1")?.recipients.len(), 2);
        outgoing::begin(tx, id, at(3))?;
        refuses(outgoing::begin(tx, id, at(3)), ErrorKind::Missing);
        outgoing::postpone(tx, id, ("not now", at(9)), true, at(4))?;
        let mail = of(tx, "email/1")?;
        assert_eq!((mail.state, mail.attempts, mail.due), (State::Ready, 1, at(9)));
        outgoing::begin(tx, id, at(9))?;
        outgoing::postpone(tx, id, ("nobody there", at(10)), false, at(9))?;
        assert_eq!(of(tx, "email/1")?.attempts, 1);
        outgoing::begin(tx, id, at(11))?;
        outgoing::sent(tx, id, "", at(12))?;
        assert_eq!(outgoing::waiting(tx)?, (0, 1));
        outgoing::told(tx, id, at(13))?;
        assert_eq!(of(tx, "email/1")?.size, 5);
        outgoing::copied(tx, id, at(14))?;
        let mail = of(tx, "email/1")?;
        assert!(mail.is_over() && mail.size == 0);
        assert_eq!((outgoing::open(tx)?.len(), outgoing::waiting(tx)?), (0, (0, 0)));
        refuses(outgoing::freeze(tx, &frozen("email/1", b"again"), at(15)), ErrorKind::Exists);
        refuses(outgoing::withdraw(tx, id), ErrorKind::Missing);
        Ok(())
    });
}

#[test]
fn what_may_have_left_is_ready_again_only_by_a_word() {
    in_a_store(|tx, _| {
        let id = outgoing::freeze(tx, &frozen("email/1", b"x"), at(1))?;
        refuses(outgoing::answer(tx, id, false, at(1)), ErrorKind::Missing);
        outgoing::begin(tx, id, at(2))?;
        refuses(outgoing::freeze(tx, &frozen("email/1", b"y"), at(3)), ErrorKind::Exists);
        refuses(outgoing::answer(tx, id, false, at(3)), ErrorKind::Missing);
        outgoing::unknown(tx, id, "no answer", at(4))?;
        refuses(outgoing::freeze(tx, &frozen("email/1", b"y"), at(5)), ErrorKind::Exists);
        refuses(outgoing::begin(tx, id, at(5)), ErrorKind::Missing);
        refuses(outgoing::withdraw(tx, id), ErrorKind::Missing);
        refuses(outgoing::refused(tx, id, "", at(5)), ErrorKind::Missing);
        assert_eq!(outgoing::waiting(tx)?, (1, 0));
        outgoing::answer(tx, id, false, at(6))?;
        assert_eq!(of(tx, "email/1")?.state, State::Ready);
        refuses(outgoing::answer(tx, id, true, at(7)), ErrorKind::Missing);
        Ok(())
    });
}

#[test]
fn what_failed_can_be_tried_again_once_the_crm_was_told() {
    in_a_store(|tx, _| {
        let id = outgoing::freeze_refused(tx, &frozen("email/1", b""), "no recipients", at(1))?;
        refuses(outgoing::freeze(tx, &frozen("email/1", b"y"), at(2)), ErrorKind::Exists);
        outgoing::told(tx, id, at(2))?;
        assert!(of(tx, "email/1")?.is_over());
        outgoing::freeze_refused(tx, &frozen("email/1", b""), "no recipients", at(3))?;
        assert_eq!(of(tx, "email/1")?.failures, 2);
        let state = (State::Unknown, "lost");
        refuses(outgoing::adopt(tx, &frozen("email/1", b""), state, at(4)), ErrorKind::Exists);
        outgoing::adopt(tx, &frozen("email/2", b"z"), state, at(4))?;
        assert_eq!(outgoing::waiting(tx)?, (1, 1));
        Ok(())
    });
}
