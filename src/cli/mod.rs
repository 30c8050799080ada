//! The command line: one file a command.

/// The whole main job, shown in a directory of its own.
pub mod demo;
