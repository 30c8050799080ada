//! How the organisation says no: an HTTP status, a code and a sentence, as the Dataverse error code
//! reference has them. It knows nothing of why.

use crate::sandbox::schema::Table;
use serde_json::{Value, json};

/// A refused operation.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code} {message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `0x…`, or empty, as some documented answers have it.
    pub code: &'static str,
    pub message: String,
}

/// Malformed or unknown content in a body.
pub const BAD_PAYLOAD: &str = "0x80048d19";
/// An argument that makes no sense.
pub const INVALID_ARGUMENT: &str = "0x80040203";
/// A string longer than its column.
pub const TOO_LONG: &str = "0x80044331";
/// A number or option outside its column's range.
pub const OUT_OF_RANGE: &str = "0x80044330";
/// A state that the row cannot take.
pub const INVALID_STATE: &str = "0x80048408";
/// An operation that makes no sense for the row as it is.
pub const INVALID_OPERATION: &str = "0x80040224";
/// The path names nothing.
pub const NO_RESOURCE: &str = "0x80060888";
/// The table takes no such message.
pub const UNSUPPORTED: &str = "0x80040800";

impl Refusal {
    /// Any refusal.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 400 with [`BAD_PAYLOAD`], worded as the service words errors in a body.
    pub fn payload(table: &Table, reason: impl std::fmt::Display) -> Self {
        let message = format!(
            "Error identified in Payload provided by the user for Entity :'{}', For more information on this error please follow this help link \
             https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : Microsoft.OData.ODataException: {reason}",
            table.set
        );
        Self::new(400, BAD_PAYLOAD, message)
    }

    /// 400 with [`INVALID_ARGUMENT`].
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(400, INVALID_ARGUMENT, message)
    }

    /// 404: no row of that id.
    pub fn missing(logical: &str, id: &str) -> Self {
        Self::new(404, "0x80040217", format!("{logical} With Id = {id} Does Not Exist"))
    }

    /// 404: no row of that alternate key.
    pub fn missing_key(logical: &str) -> Self {
        Self::new(
            404,
            "0x80060891",
            format!("A record with the specified key values does not exist in {logical} entity"),
        )
    }

    /// 404: no such entity set, property, function or action.
    pub fn no_resource(segment: &str) -> Self {
        Self::new(404, NO_RESOURCE, format!("Resource not found for the segment '{segment}'."))
    }

    /// 412: the row is there already.
    pub fn duplicate() -> Self {
        Self::new(412, "0x80040237", "A record with matching key values already exists.")
    }

    /// 412: the row has moved on.
    pub fn version() -> Self {
        Self::new(
            412,
            "0x80060882",
            "The version of the existing record doesn't match the RowVersion property provided.",
        )
    }

    /// The error body. With annotations the details that the service adds on request.
    pub fn body(&self, annotated: bool) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (true, Some(fields)) = (annotated, error.as_object_mut()) {
            fields
                .insert("@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus".into(), json!("0"));
            fields.insert("@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode".into(), json!("2"));
            fields.insert(
                "@Microsoft.PowerApps.CDS.HelpLink".into(),
                json!("http://go.microsoft.com/fwlink/?LinkID=398563"),
            );
            fields.insert(
                "@Microsoft.PowerApps.CDS.TraceText".into(),
                json!(format!("\r\n[{}: {}]\r\n", self.code, self.status)),
            );
            fields
                .insert("@Microsoft.PowerApps.CDS.InnerError.Message".into(), json!(self.message));
        }
        json!({"error": error})
    }
}

impl From<rusqlite::Error> for Refusal {
    /// A key that is taken is a duplicate; anything else is the service's own failure.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation)
                if error.to_string().contains("UNIQUE") =>
            {
                Self::duplicate()
            }
            Some(rusqlite::ErrorCode::DiskFull) => {
                Self::new(503, "0x80044150", "The database has no room left.")
            }
            _ => Self::new(500, "0x80044150", format!("Generic SQL error. {error}")),
        }
    }
}

impl From<crate::sandbox::query::QueryError> for Refusal {
    fn from(error: crate::sandbox::query::QueryError) -> Self {
        Self::new(error.status, error.code, error.message)
    }
}
