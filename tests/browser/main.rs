//! A real browser.
//!
//! - [`voting`] what a person does: with a mouse, without JavaScript, with a keyboard
//! - [`watching`] what a person sees who does nothing
//! - [`pages`] what holds for every page
//! - [`window`] the browser itself

mod pages;
mod voting;
mod watching;
mod window;
