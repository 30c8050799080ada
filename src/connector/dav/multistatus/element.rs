//! The elements that matter, by namespace and name.

const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
const CALENDAR_SERVER: &str = "http://calendarserver.org/ns/";

/// An element of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Multistatus,
    Error,
    Response,
    Href,
    Status,
    Propstat,
    Prop,
    Etag,
    ContentType,
    DisplayName,
    ResourceType,
    SyncToken,
    Ctag,
    MaxSize,
    Data,
    Components,
    Component,
    Reports,
    Report,
    Privileges,
    Privilege,
    Principal,
    Home,
    Addresses,
    /// Whatever else there is.
    Other,
}

impl Element {
    pub(super) fn named(namespace: &str, local: &str) -> Self {
        match (namespace, local) {
            (DAV, "multistatus") => Self::Multistatus,
            (DAV, "error") => Self::Error,
            (DAV, "response") => Self::Response,
            (DAV, "href") => Self::Href,
            (DAV, "status") => Self::Status,
            (DAV, "propstat") => Self::Propstat,
            (DAV, "prop") => Self::Prop,
            (DAV, "getetag") => Self::Etag,
            (DAV, "getcontenttype") => Self::ContentType,
            (DAV, "displayname") => Self::DisplayName,
            (DAV, "resourcetype") => Self::ResourceType,
            (DAV, "sync-token") => Self::SyncToken,
            (CALENDAR_SERVER, "getctag") => Self::Ctag,
            (CALDAV | CARDDAV, "max-resource-size") => Self::MaxSize,
            (CALDAV, "calendar-data") | (CARDDAV, "address-data") => Self::Data,
            (CALDAV, "supported-calendar-component-set") => Self::Components,
            (CALDAV, "comp") => Self::Component,
            (DAV, "supported-report-set") => Self::Reports,
            (DAV, "report") => Self::Report,
            (DAV, "current-user-privilege-set") => Self::Privileges,
            (DAV, "privilege") => Self::Privilege,
            (DAV, "current-user-principal") => Self::Principal,
            (CALDAV, "calendar-home-set") | (CARDDAV, "addressbook-home-set") => Self::Home,
            (CALDAV, "calendar-user-address-set") => Self::Addresses,
            _ => Self::Other,
        }
    }

    /// Whether its own text counts.
    pub(super) fn has_text(self) -> bool {
        matches!(
            self,
            Self::Href
                | Self::Status
                | Self::Etag
                | Self::ContentType
                | Self::DisplayName
                | Self::SyncToken
                | Self::Ctag
                | Self::MaxSize
                | Self::Data
        )
    }
}
