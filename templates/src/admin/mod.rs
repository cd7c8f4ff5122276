//! The organiser's pages.

mod confirm;
mod form;
mod list;
mod round;

pub use confirm::{ConfirmPage, Deed};
pub use form::{NewRoundPage, OptionForm, RoundForm};
pub use list::{AdminPage, AdminRound};
pub use round::{Difference, Done, PictureForm, RoundAdminPage, Share};
