//! The settings: what the user wrote, over the defaults that are part of the program, checked as a whole.
//!
//! `paths` is the one door to the environment. Nothing here opens what the settings name, nor holds a secret.

pub mod edit;
pub mod error;
pub mod load;
pub mod paths;
pub mod settings;

mod section;
mod tree;

pub use error::{Error, Position};
pub use load::{Effective, Loaded, Origin, load, parse};
pub use paths::Directories;
pub use settings::Settings;

/// The embedded defaults: every setting with its comment.
pub const DEFAULT: &str = include_str!("../../config/default.toml");
