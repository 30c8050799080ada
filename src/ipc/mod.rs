//! How other programs speak with the running service: lines of JSON over a socket that only its owner can open. The wire types
//! stand here and nowhere else; they know nothing of the rest of the program, so that a change inside does not change the protocol.
//!
//! A connection carries lines of UTF-8 text, one JSON object each, at most [`frame::LINE_MAX`] bytes. The client speaks first:
//!
//! ```json
//! {"id":1,"do":{"hello":{"version":1,"program":"my-script"}}}
//! {"id":1,"done":{"welcome":{"version":1,"program":"liaison 0.1.0"}}}
//! {"id":2,"do":"status"}
//! {"id":2,"done":{"status":{"state":"in-step", …}}}
//! {"id":3,"do":{"sync":{"classes":["contact"]}}}
//! {"id":3,"progress":{"class":"contact","doing":"writing","done":400,"of":1600}}
//! {"id":3,"done":{"answer":{"text":"…","json":{…},"notes":[],"exit":0}}}
//! {"id":4,"do":{"run":{"command":"approve","arguments":["--all"],"json":true}}}
//! ```
//!
//! Every request has a number of the client's choice, and every line of the service names the request that it belongs to. The last
//! one is `done` or `failed`. A client that does not know a request, a field or a version is told so, and nothing is guessed.

use std::path::PathBuf;

pub mod client;
pub mod frame;
pub mod wire;

pub use client::Client;

/// The version of the protocol. A service speaks exactly one; a client of another one is told which.
pub const VERSION: u32 = 1;

/// How this program names itself at either end.
pub const PROGRAM: &str = concat!("liaison ", env!("CARGO_PKG_VERSION"));

/// The file name of the socket, in the folder of what belongs to the running program.
const SOCKET: &str = "control.sock";

/// Where the socket of an installation is.
///
/// `runtime` is its folder for sockets; the service makes it, for its owner only.
pub fn socket(runtime: &std::path::Path) -> PathBuf {
    runtime.join(SOCKET)
}
