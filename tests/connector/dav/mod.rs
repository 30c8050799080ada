//! Calendars and address books on real servers: Radicale, Xandikos and Cyrus, with another client at work beside us.

mod discovery;
mod ends;
mod listing;
mod scheduling;
mod writing;
