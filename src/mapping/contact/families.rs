//! The table of what a vCard property means: which lines can hold which fields, in which order.
//!
//! | field | lines that hold it (the first name is the one we write) |
//! |---|---|
//! | `nickname`, `jobtitle`, `description` | `NICKNAME`, `TITLE`, `NOTE` |
//! | `emailaddress1`…`3` | `EMAIL`, preferred first, then in the order of the card; not `X400` |
//! | `telephone1`, `business2` | `TEL` with `WORK` |
//! | `telephone2`, `home2` | `TEL` with `HOME` |
//! | `mobilephone` | `TEL` with `CELL` |
//! | `fax` | `TEL` with `FAX`, unless `HOME` |
//! | `pager` | `TEL` with `PAGER` |
//! | `callback`, `company`, `assistantphone` | `TEL` with `X-EVOLUTION-CALLBACK`, `-COMPANY` (also `MAIN`), `-ASSISTANT`: RFC 6350 has no types for them, and these are what Evolution shows |
//! | `telephone3` | any other `TEL` for talking, without a type too |
//! | `websiteurl`, `ftpsiteurl` | `URL`; `X-FTP`, `URL;TYPE=FTP` |
//! | `birthdate`, `anniversary` | `BDAY`; `ANNIVERSARY` (4.0), `X-ANNIVERSARY` and its relatives |
//! | `spousesname`, `managername`, `assistantname`, `childrensnames` | `X-SPOUSE`… and relatives, `RELATED` (4.0), `X-ABRELATEDNAMES` |
//! | `governmentid` | `X-GOVERNMENT-ID` |
//! | `address1`, `2`, `3` | `ADR` with `WORK` or without a place (RFC 2426 §3.2.1), with `HOME`, with another place |
//! | `parentcustomerid`, `department` | the first two parts of `ORG` |
//!
//! Apple's labels (`item1.X-ABLabel`) count as types.

use crate::mapping::text::Line;

use super::card::Dialect;

/// Lines that compete for the same slots. The slots are filled in the order of preference.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Names of fields, or of the group of fields that one line holds (`address1`).
    pub slots: &'static [&'static str],
    pub kind: Kind,
}

/// Which lines belong to a family, and how they hold their value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text(&'static str),
    /// A comma list that is one text to the CRM.
    List(&'static str),
    Email,
    Phone(Phone),
    Web,
    Ftp,
    /// A date; with the names of the properties, the first for version 4.0, the second for older ones.
    Date(&'static [&'static str]),
    Relation(Relation),
    Address(Place),
    Organisation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phone {
    Work,
    Home,
    Mobile,
    Fax,
    Pager,
    Callback,
    Company,
    Assistant,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Work,
    Home,
    Other,
}

/// Someone the contact has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Properties of their own, the one we write first.
    pub names: &'static [&'static str],
    /// Types of `RELATED` and labels of `X-ABRELATEDNAMES`.
    pub types: &'static [&'static str],
    /// Whether `RELATED` of version 4.0 has a registered type for it (RFC 6350 §6.6.6).
    pub registered: bool,
    /// Whether all lines together are the value.
    pub several: bool,
}

pub const ORGANISATION: Family = Family { slots: &["organisation"], kind: Kind::Organisation };

pub const ADDRESSES: [Family; 3] = [
    Family { slots: &["address1"], kind: Kind::Address(Place::Work) },
    Family { slots: &["address2"], kind: Kind::Address(Place::Home) },
    Family { slots: &["address3"], kind: Kind::Address(Place::Other) },
];

/// The families whose lines hold one field each.
pub const FAMILIES: &[Family] = &[
    Family { slots: &["nickname"], kind: Kind::List("NICKNAME") },
    Family { slots: &["jobtitle"], kind: Kind::Text("TITLE") },
    Family { slots: &["emailaddress1", "emailaddress2", "emailaddress3"], kind: Kind::Email },
    Family { slots: &["telephone1", "business2"], kind: Kind::Phone(Phone::Work) },
    Family { slots: &["telephone2", "home2"], kind: Kind::Phone(Phone::Home) },
    Family { slots: &["mobilephone"], kind: Kind::Phone(Phone::Mobile) },
    Family { slots: &["fax"], kind: Kind::Phone(Phone::Fax) },
    Family { slots: &["pager"], kind: Kind::Phone(Phone::Pager) },
    Family { slots: &["callback"], kind: Kind::Phone(Phone::Callback) },
    Family { slots: &["company"], kind: Kind::Phone(Phone::Company) },
    Family { slots: &["assistantphone"], kind: Kind::Phone(Phone::Assistant) },
    Family { slots: &["telephone3"], kind: Kind::Phone(Phone::Other) },
    Family { slots: &["websiteurl"], kind: Kind::Web },
    Family { slots: &["ftpsiteurl"], kind: Kind::Ftp },
    Family { slots: &["birthdate"], kind: Kind::Date(&["BDAY", "BDAY"]) },
    Family { slots: &["anniversary"], kind: Kind::Date(ANNIVERSARY) },
    Family {
        slots: &["spousesname"],
        kind: Kind::Relation(Relation {
            names: &[
                "X-SPOUSE",
                "X-EVOLUTION-SPOUSE",
                "X-KADDRESSBOOK-X-SPOUSESNAME",
                "X-MS-SPOUSE",
                "X-OUTLOOK-SPOUSE-NAME",
            ],
            types: &["spouse", "partner"],
            registered: true,
            several: false,
        }),
    },
    Family {
        slots: &["managername"],
        kind: Kind::Relation(Relation {
            names: &[
                "X-MANAGER",
                "X-EVOLUTION-MANAGER",
                "X-KADDRESSBOOK-X-MANAGERSNAME",
                "X-MS-MANAGER",
                "X-OUTLOOK-MANAGER-NAME",
            ],
            types: &["manager"],
            registered: false,
            several: false,
        }),
    },
    Family {
        slots: &["assistantname"],
        kind: Kind::Relation(Relation {
            names: &[
                "X-ASSISTANT",
                "X-EVOLUTION-ASSISTANT",
                "X-KADDRESSBOOK-X-ASSISTANTSNAME",
                "X-MS-ASSISTANT",
            ],
            types: &["assistant"],
            registered: false,
            several: false,
        }),
    },
    Family {
        slots: &["childrensnames"],
        kind: Kind::Relation(Relation {
            names: &["X-MS-CHILD"],
            types: &["child"],
            registered: true,
            several: true,
        }),
    },
    Family { slots: &["governmentid"], kind: Kind::Text("X-GOVERNMENT-ID") },
    Family { slots: &["description"], kind: Kind::Text("NOTE") },
];

const ANNIVERSARY: &[&str] = &[
    "ANNIVERSARY",
    "X-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY",
    "X-KADDRESSBOOK-X-ANNIVERSARY",
    "X-MS-ANNIVERSARY",
    "X-OUTLOOK-WEDDING-ANNIVERSARY",
];

impl Kind {
    /// The names of the properties that may belong to the family, best first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let (one, many, more): (_, &[&str], &[&str]) = match self {
            Self::Text(name) | Self::List(name) => (Some(name), &[], &[]),
            Self::Email => (Some("EMAIL"), &[], &[]),
            Self::Phone(_) => (Some("TEL"), &[], &[]),
            Self::Web => (Some("URL"), &[], &[]),
            Self::Ftp => (None, &["X-FTP", "URL"], &[]),
            Self::Date(["BDAY", ..]) => (Some("BDAY"), &[], &[]),
            Self::Date(names) => (None, names, &["X-ABDATE"]),
            Self::Relation(relation) => (None, relation.names, &["RELATED", "X-ABRELATEDNAMES"]),
            Self::Address(_) => (Some("ADR"), &[], &[]),
            Self::Organisation => (Some("ORG"), &[], &[]),
        };
        one.into_iter().chain(many.iter().chain(more).copied())
    }

    /// Whether a line of one of these names belongs, by its types and label.
    pub fn takes(self, line: &Line, types: &[String]) -> bool {
        let has = |word: &str| types.iter().any(|kind| kind == word);
        match self {
            Self::Text(_) | Self::List(_) | Self::Organisation => true,
            Self::Email => !has("x400") && !has("tlx"),
            Self::Phone(phone) => phone_of(types) == Some(phone),
            Self::Web => !has("ftp"),
            Self::Ftp => line.is("X-FTP") || has("ftp"),
            Self::Date(_) => !line.is("X-ABDATE") || has("anniversary"),
            Self::Relation(relation) => {
                let labelled = line.is("RELATED") || line.is("X-ABRELATEDNAMES");
                !labelled || relation.types.iter().any(|word| has(word))
            }
            Self::Address(place) => place_of(types) == place,
        }
    }

    /// A new line of the family, without a value.
    pub fn new_line(self, dialect: Dialect) -> Line {
        let line = |name: &str| Line::new(name, "");
        match self {
            Self::Email if dialect == Dialect::V40 => line("EMAIL"),
            Self::Email => dialect.typed(line("EMAIL"), &["INTERNET"]),
            Self::Phone(phone) => dialect.typed(line("TEL"), phone.types()),
            Self::Date([first, _, ..]) if dialect == Dialect::V40 => line(first),
            Self::Date([_, second, ..]) => line(second),
            Self::Relation(Relation { registered: true, types: [first, ..], .. })
                if dialect == Dialect::V40 =>
            {
                line("RELATED").with_param("TYPE", *first).with_param("VALUE", "text")
            }
            Self::Address(place) => dialect.typed(line("ADR"), &[place.kind()]),
            _ => line(self.names().next().unwrap_or_default()),
        }
    }
}

impl Phone {
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Work => &["WORK", "VOICE"],
            Self::Home => &["HOME", "VOICE"],
            Self::Mobile => &["CELL"],
            Self::Fax => &["WORK", "FAX"],
            Self::Pager => &["PAGER"],
            Self::Callback => &["X-EVOLUTION-CALLBACK"],
            Self::Company => &["X-EVOLUTION-COMPANY"],
            Self::Assistant => &["X-EVOLUTION-ASSISTANT"],
            Self::Other => &["VOICE"],
        }
    }
}

impl Place {
    fn kind(self) -> &'static str {
        match self {
            Self::Work => "WORK",
            Self::Home => "HOME",
            Self::Other => "OTHER",
        }
    }
}

/// What a number is for. `None` for machines other than the fax, and for the fax at home: the CRM has no column for them.
fn phone_of(types: &[String]) -> Option<Phone> {
    let has = |words: &[&str]| types.iter().any(|kind| words.contains(&kind.as_str()));
    if has(&["modem", "bbs", "isdn", "telex", "textphone", "ttytdd", "radio", "homefax"]) {
        None
    } else if has(&["fax", "workfax", "otherfax"]) {
        (!has(&["home"])).then_some(Phone::Fax)
    } else if has(&["pager"]) {
        Some(Phone::Pager)
    } else if has(&["assistant"]) {
        Some(Phone::Assistant)
    } else if has(&["callback"]) {
        Some(Phone::Callback)
    } else if has(&["company", "companymain", "main"]) {
        Some(Phone::Company)
    } else if has(&["cell", "mobile", "iphone", "pcs"]) {
        Some(Phone::Mobile)
    } else if has(&["home"]) {
        Some(Phone::Home)
    } else if has(&["work", "business"]) {
        Some(Phone::Work)
    } else {
        Some(Phone::Other)
    }
}

/// RFC 2426 §3.2.1: an address without a type is one at work.
fn place_of(types: &[String]) -> Place {
    const NO_PLACE: [&str; 5] = ["dom", "intl", "postal", "parcel", "pref"];
    let has = |word: &str| types.iter().any(|kind| kind == word);
    if has("work") || has("business") || types.iter().all(|kind| NO_PLACE.contains(&kind.as_str()))
    {
        Place::Work
    } else if has("home") {
        Place::Home
    } else {
        Place::Other
    }
}
