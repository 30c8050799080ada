//! `liaison setup`, as its users have it: on real servers, from nothing to the first round, in a terminal and without one.

mod alone;
mod office;
mod scene;
mod screen;
mod terminal;
