//! A real browser.
//!
//! - [`voting`] what a person does: with a mouse, without JavaScript, with a keyboard
//! - [`choosing`] what a person does who may choose several options
//! - [`watching`] what a person sees who does nothing
//! - [`waking`] pages that wake up when a round opens or closes
//! - [`accounts`] what a person does with an account
//! - [`organising`] what an organiser does
//! - [`development`] pages that follow their templates
//! - [`pages`] what holds for every page
//! - [`window`] the browser itself

mod accounts;
mod choosing;
mod development;
mod organising;
mod pages;
mod voting;
mod waking;
mod watching;
mod window;
