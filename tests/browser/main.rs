//! A real browser.
//!
//! - [`voting`] what a person does: with a mouse, without JavaScript, with a keyboard
//! - [`watching`] what a person sees who does nothing
//! - [`accounts`] what a person does with an account
//! - [`pages`] what holds for every page
//! - [`window`] the browser itself

mod accounts;
mod pages;
mod voting;
mod watching;
mod window;
