//! `liaison-tray` as a process, on a session bus of its own: what a panel, a person who clicks and a service get to see of it.

mod bubbles;
mod life;
mod menu;
mod panel;
mod program;
mod real;
mod screen;
mod service;
mod watch;
