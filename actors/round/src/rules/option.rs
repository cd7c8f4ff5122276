//! What an organiser wants an option to be, and whether a round can have it.

use subjects::{OptionId, PictureId, Round, RoundOption, RoundState};
use url::Url;

use super::text::{LongText, ShortText, seen};
use super::wish::{Wrong, of};

/// How many options a round may have when it opens, and by then at the most.
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=100;
/// The longest description of an option, in characters. A round is one message, so a hundred of them must fit in it.
pub const OPTION_DESCRIPTION_MAX: usize = 500;
/// The longest link, in characters.
pub const LINK_MAX: usize = 2_000;

/// One option that an organiser wants. What it does not say stays as it is for an option that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionWish {
    /// Its name in ballots; made from the label when it says nothing.
    pub id: Option<OptionId>,
    /// As people read it.
    pub label: ShortText,
    /// What else there is to know about it.
    pub description: Option<LongText>,
    /// Where there is more to read; nowhere, inside.
    pub link: Option<Option<Link>>,
}

/// What is to become of one option. What it does not say stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionChange {
    /// As people are to read it.
    pub label: Option<ShortText>,
    /// What else there is to know about it.
    pub description: Option<LongText>,
    /// Where there is more to read; nowhere, inside.
    pub link: Option<Option<Link>>,
    /// What it looks like; nothing, inside.
    pub picture: Option<Option<PictureId>>,
}

/// The address of a page elsewhere, as browsers understand it: a name in other letters stands in those that it is
/// looked up by, so that it cannot look like another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

/// Why a text is no link. The words complete "link …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Not on the web, or not whole.
    #[error("must be a whole address that begins with http:// or https://")]
    NotWeb,
    /// It would show one host and lead to another.
    #[error("must not hold a user's name or password")]
    NamesUser,
    /// Too much.
    #[error("must have at most {LINK_MAX} characters")]
    Long,
}

impl Link {
    /// Takes an address of the web.
    ///
    /// # Errors
    /// Any [`BadLink`].
    pub fn parse(text: &str) -> Result<Self, BadLink> {
        // Before it is read: reading makes it longer at the most.
        if text.chars().count() > LINK_MAX {
            return Err(BadLink::Long);
        }
        let url = Url::parse(text.trim()).map_err(|_| BadLink::NotWeb)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadLink::NotWeb);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadLink::NamesUser);
        }
        let link = String::from(url);
        if link.len() > LINK_MAX { Err(BadLink::Long) } else { Ok(Self(link)) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OptionWish {
    /// An option of which nothing but the label is said.
    pub fn labelled(label: ShortText) -> Self {
        Self { id: None, label, description: None, link: None }
    }

    /// The option that this becomes behind those that are there.
    pub(super) fn beside(&self, there: &[RoundOption]) -> RoundOption {
        let taken: Vec<OptionId> = there.iter().map(|option| option.id.clone()).collect();
        let labels = there.iter().map(|option| option.label.as_str());
        let made = || self.made_id(there.len() + 1, taken, labels);
        self.laid_over(RoundOption::new(self.id.clone().unwrap_or_else(made), ""))
    }

    /// An id for the option in this `place`, counted from 1. It is none of those `taken`, nor what another of these
    /// `labels` says: by either a ballot would name the other option.
    fn made_id<'a>(
        &self,
        place: usize,
        mut taken: Vec<OptionId>,
        labels: impl Iterator<Item = &'a str>,
    ) -> OptionId {
        let others = labels.filter(|label| *label != self.label.as_str());
        taken.extend(others.filter_map(|label| OptionId::parse(label).ok()));
        OptionId::from_label(self.label.as_str(), place, &taken)
    }

    fn laid_over(&self, option: RoundOption) -> RoundOption {
        let change = OptionChange {
            label: Some(self.label.clone()),
            description: self.description.clone(),
            link: self.link.clone(),
            picture: None,
        };
        change.laid_over(option)
    }
}

impl OptionChange {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The option as it would be with this done.
    pub(super) fn laid_over(&self, option: RoundOption) -> RoundOption {
        let text = |new: Option<&str>, old: String| new.map_or(old, str::to_owned);
        RoundOption {
            id: option.id,
            label: text(self.label.as_ref().map(ShortText::as_str), option.label),
            description: text(self.description.as_ref().map(LongText::as_str), option.description),
            link: match &self.link {
                Some(link) => link.as_ref().map(|link| link.as_str().to_owned()),
                None => option.link,
            },
            picture: self.picture.unwrap_or(option.picture),
        }
    }
}

/// The options by these wishes. One that was there under the same name, or else under the same label, is still the
/// same one.
pub(super) fn options(wishes: &[OptionWish], there: &[RoundOption]) -> Vec<RoundOption> {
    let mut taken: Vec<OptionId> = wishes.iter().filter_map(|wish| wish.id.clone()).collect();
    let mut options = Vec::with_capacity(wishes.len());
    for (place, wish) in (1..).zip(wishes) {
        let known = there.iter().find(|option| match &wish.id {
            Some(id) => option.id == *id,
            None => option.label == wish.label.as_str() && !taken.contains(&option.id),
        });
        let option = known.cloned().unwrap_or_else(|| {
            let labels = wishes.iter().map(|wish| wish.label.as_str());
            let made = || wish.made_id(place, taken.clone(), labels);
            RoundOption::new(wish.id.clone().unwrap_or_else(made), "")
        });
        taken.push(option.id.clone());
        options.push(wish.laid_over(option));
    }
    options
}

/// What is wrong with the options of a round.
pub(super) fn wrong_options(round: &Round) -> Vec<Wrong> {
    let (least, most) = (*OPTIONS.start(), *OPTIONS.end());
    let count = round.options.len();
    if count > most || (must_be_whole(round) && count < least) {
        return vec![of("options", format!("must be {least} to {most}, not {count}"))];
    }
    let mut wrong = Vec::new();
    for (place, option) in round.options.iter().enumerate() {
        let before = &round.options[..place];
        if before.iter().any(|other| other.id == option.id) {
            wrong.push(of(&format!("options[{place}].id"), "is the id of another option"));
        }
        if before.iter().any(|other| seen(&other.label) == seen(&option.label)) {
            wrong.push(of(&format!("options[{place}].label"), "looks the same as that of another option"));
        }
        // A ballot names an option by its id, or else by its label: this label would be a vote for the other one.
        let named = |other: &RoundOption| other.id.as_str() == option.label;
        if !named(option) && round.options.iter().any(named) {
            wrong.push(of(&format!("options[{place}].label"), "is the id of another option"));
        }
    }
    wrong
}

/// A draft that is opened by hand is still being written.
pub(super) fn must_be_whole(round: &Round) -> bool {
    round.state != RoundState::Draft || round.opens_at.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::RoundId;

    fn text(text: &str) -> ShortText {
        ShortText::parse(text).unwrap()
    }

    fn link(text: &str) -> Result<String, BadLink> {
        Link::parse(text).map(|link| link.0)
    }

    #[test]
    fn a_link_leads_to_the_web_and_shows_where() {
        assert_eq!(link(" HTTPS://Example.org/Ann?x=1#y ").as_deref(), Ok("https://example.org/Ann?x=1#y"));
        assert_eq!(link("http://example.org").as_deref(), Ok("http://example.org/"));
        assert_eq!(link("https://exаmple.org/é").as_deref(), Ok("https://xn--exmple-4nf.org/%C3%A9"));
        for wrong in ["", "example.org", "/ann", "//example.org", "javascript:alert(1)", "data:text/html,x"] {
            assert_eq!(link(wrong), Err(BadLink::NotWeb), "{wrong}");
        }
        for wrong in
            ["java\nscript:alert(1)", "ftp://example.org", "mailto:ann@example.org", "http://", "https:///"]
        {
            assert_eq!(link(wrong), Err(BadLink::NotWeb), "{wrong}");
        }
        assert_eq!(link("https://bank.example@evil.example/"), Err(BadLink::NamesUser));
        let of_length = |length: usize| format!("https://example.org/{}", "x".repeat(length - 20));
        assert_eq!(link(&of_length(LINK_MAX)), Ok(of_length(LINK_MAX)));
        assert_eq!(link(&of_length(LINK_MAX + 1)), Err(BadLink::Long));
        assert_eq!(link(&format!("https://example.org/{}", "é".repeat(500))), Err(BadLink::Long));
    }

    /// What is wrong with a round of options of these ids and labels.
    fn wrong(options: &[(&str, &str)]) -> Vec<String> {
        let option = |(id, label): &(&str, &str)| RoundOption::new(OptionId::parse(id).unwrap(), label);
        let options = options.iter().map(option).collect();
        let round = Round { options, ..Round::blank(RoundId::parse("board").unwrap()) };
        wrong_options(&round).into_iter().map(|wrong| format!("{} {}", wrong.field, wrong.why)).collect()
    }

    #[test]
    fn no_label_is_a_vote_for_another_option() {
        let of_another = |place: usize| vec![format!("options[{place}].label is the id of another option")];
        assert_eq!(wrong(&[("ann", "Ann"), ("bob", "ann")]), of_another(1));
        assert_eq!(wrong(&[("ann", "bob"), ("bob", "Bob")]), of_another(0), "whichever stands first");
        assert_eq!(wrong(&[("ann", "bob"), ("bob", "ann")]), [of_another(0), of_another(1)].concat());
        assert!(wrong(&[("ann", "ann"), ("bob", "Ann")]).is_empty(), "its own, and letters matter");
    }

    #[test]
    fn an_id_that_is_made_is_not_what_another_label_says() {
        let made = |labels: &[&str]| {
            let wishes: Vec<OptionWish> =
                labels.iter().map(|label| OptionWish::labelled(text(label))).collect();
            let listed = options(&wishes, &[]);
            let mut added = Vec::new();
            for wish in &wishes {
                added.push(wish.beside(&added));
            }
            let ids = |options: &[RoundOption]| -> Vec<String> {
                options.iter().map(|option| option.id.to_string()).collect()
            };
            (ids(&listed), ids(&added))
        };
        let ids = |ids: [&str; 2]| Vec::from(ids.map(str::to_owned));
        assert_eq!(made(&["Cats", "Dogs"]), (ids(["cats", "dogs"]), ids(["cats", "dogs"])));
        assert_eq!(made(&["c", "C++"]), (ids(["c", "c-2"]), ids(["c", "c-2"])));
        // Of those that come one by one, the first cannot know of the second.
        assert_eq!(made(&["C++", "c"]), (ids(["c-1", "c"]), ids(["c", "c-2"])));
        assert_eq!(made(&["猫", "option-1"]).0, ids(["option-2", "option-1"]));
    }

    #[test]
    fn an_option_that_is_named_again_keeps_what_is_not_said_of_it() {
        let picture = Some(PictureId::from_bytes([7; 32]));
        let described = OptionChange {
            description: Some(LongText::parse("A carpenter.").unwrap()),
            link: Some(Link::parse("https://example.org/ann").ok()),
            picture: Some(picture),
            ..OptionChange::default()
        };
        let ann = described.laid_over(RoundOption::new(OptionId::parse("ann").unwrap(), "Ann"));
        assert_eq!((ann.label.as_str(), ann.description.as_str()), ("Ann", "A carpenter."));

        let by_label = options(&[OptionWish::labelled(text("Ann"))], std::slice::from_ref(&ann));
        assert_eq!(by_label, std::slice::from_ref(&ann));
        let by_id = OptionWish {
            id: Some(ann.id.clone()),
            description: Some(LongText::parse("").unwrap()),
            link: Some(None),
            ..OptionWish::labelled(text("Anna"))
        };
        let anna = options(&[by_id], std::slice::from_ref(&ann)).remove(0);
        assert_eq!((anna.label.as_str(), anna.description.as_str(), anna.link), ("Anna", "", None));
        assert_eq!(anna.picture, picture);
        let another = options(&[OptionWish::labelled(text("Eve"))], &[ann]).remove(0);
        assert_eq!(another, RoundOption::new(OptionId::parse("eve").unwrap(), "Eve"));
    }
}
