//! Where the picture of an option is.

use subjects::{RoundId, RoundOption};

/// The address of the picture of `option`, if it has one. Another picture has another address, so browsers may keep
/// what they find there for good.
pub fn picture_address(round: &RoundId, option: &RoundOption) -> Option<String> {
    let picture = option.picture?;
    Some(format!("/rounds/{round}/options/{}/picture?v={}", option.id, picture.short()))
}
