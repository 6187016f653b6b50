//! Entity tags (RFC 9110 section 8.8.3): which state of a user an answer shows, and which state a request is about.
//!
//! A tag is made of the user's id, time of creation and version. It is strong: the same tag means the same bytes. To clients
//! it is opaque; here it is read back, so that the database can compare what it stands for in the very statement that
//! changes the row.

use std::fmt;

use actix_web::http::header::HeaderValue;
use domain::{Revision, Timestamp, UserId};

/// The most tags that a list may have. More than a few make no sense, and each becomes part of a statement.
const MAX_TAGS: usize = 100;

/// A strong entity tag that this service gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ETag(String);

/// An entity tag as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentTag {
    is_weak: bool,
    /// With its quotation marks.
    opaque_tag: String,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagList {
    /// `*`: any state whatever.
    Any,
    /// One of these.
    Tags(Vec<SentTag>),
}

/// The value is no list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedTagList;

impl ETag {
    /// The tag of a state.
    pub(crate) fn of(revision: Revision) -> Self {
        let Revision {
            id,
            created_at,
            version,
        } = revision;
        Self(format!(
            "\"{id:x}-{:x}-{version:x}\"",
            created_at.unix_micros(),
            id = id.get()
        ))
    }

    /// The tag with its quotation marks.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl SentTag {
    /// The state that the tag stands for: none when it is weak, since weak tags never match strongly (RFC 9110 section
    /// 8.8.3.2), or not one of ours.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let number = |text| u64::from_str_radix(text, 16).ok().map(u64::cast_signed);
        let (id, rest) = self.opaque_tag.trim_matches('"').split_once('-')?;
        let (created_at, version) = rest.rsplit_once('-')?;
        let revision = Revision {
            id: UserId::new(number(id)?).ok()?,
            created_at: Timestamp::from_unix_micros(number(created_at)?).ok()?,
            version: number(version)?,
        };
        // One state has one spelling.
        (!self.is_weak && ETag::of(revision).as_str() == self.opaque_tag).then_some(revision)
    }
}

impl TagList {
    /// Reads the lines of a header; nothing when there are none.
    ///
    /// # Errors
    /// [`MalformedTagList`] when they are not `*` or a list of at most 100 tags (RFC 9110 sections 5.6.1 and 13.1.1).
    pub(crate) fn parse<'v>(
        lines: impl IntoIterator<Item = &'v HeaderValue>,
    ) -> Result<Option<Self>, MalformedTagList> {
        let mut lines = lines.into_iter().map(HeaderValue::as_bytes).peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let value = lines.collect::<Vec<_>>().join(&b","[..]);
        let value = String::from_utf8(value).map_err(|_| MalformedTagList)?;
        if value.trim_matches([' ', '\t']) == "*" {
            return Ok(Some(Self::Any));
        }
        let mut tags = Vec::new();
        let mut rest = value.as_str();
        loop {
            // Empty members of a list are passed over.
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                break;
            }
            let (tag, behind) = split_tag(rest)?;
            tags.push(tag);
            let behind = behind.trim_start_matches([' ', '\t']);
            if !(behind.is_empty() || behind.starts_with(',')) || tags.len() > MAX_TAGS {
                return Err(MalformedTagList);
            }
            rest = behind;
        }
        if tags.is_empty() {
            return Err(MalformedTagList);
        }
        Ok(Some(Self::Tags(tags)))
    }

    /// The members of the list as they would be written.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn rendered(&self) -> Vec<String> {
        let rendered = |tag: &SentTag| format!("{}{}", if tag.is_weak { "W/" } else { "" }, tag.opaque_tag);
        match self {
            Self::Any => vec!["*".to_owned()],
            Self::Tags(tags) => tags.iter().map(rendered).collect(),
        }
    }

    /// Whether one of the tags is `etag` by weak comparison, which is what `If-None-Match` asks for (RFC 9110 section 13.1.2).
    pub(crate) fn matches_weakly(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.opaque_tag == etag.0),
        }
    }
}

/// The tag at the start of `text`, and what follows it.
fn split_tag(text: &str) -> Result<(SentTag, &str), MalformedTagList> {
    let (is_weak, quoted) = match text.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let within = quoted.strip_prefix('"').ok_or(MalformedTagList)?;
    let (within, behind) = within.split_once('"').ok_or(MalformedTagList)?;
    // Everything visible but the quotation mark, and what is beyond ASCII.
    let is_allowed = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
    if !within.bytes().all(is_allowed) {
        return Err(MalformedTagList);
    }
    let tag = SentTag {
        is_weak,
        opaque_tag: format!("\"{within}\""),
    };
    Ok((tag, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(lines: &[&str]) -> Result<Option<TagList>, MalformedTagList> {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap())
            .collect();
        TagList::parse(&lines)
    }

    fn tags(lines: &[&str]) -> Vec<(bool, String)> {
        match parse(lines).unwrap().unwrap() {
            TagList::Any => unreachable!("not a list: {lines:?}"),
            TagList::Tags(tags) => tags.into_iter().map(|tag| (tag.is_weak, tag.opaque_tag)).collect(),
        }
    }

    #[test]
    fn lists_are_read_as_the_standard_has_them() {
        let strong = |text: &str| (false, format!("\"{text}\""));
        assert_eq!(tags(&[r#""a""#]), [strong("a")]);
        assert_eq!(
            tags(&[r#"  "a" ,, W/"b,c"	, """#]),
            [strong("a"), (true, r#""b,c""#.to_owned()), strong("")]
        );
        assert_eq!(tags(&[r#""a""#, r#""é""#]), [strong("a"), strong("é")]);
        assert_eq!(parse(&[" * "]), Ok(Some(TagList::Any)));
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let endless = r#""a","#.repeat(MAX_TAGS + 1);
        for malformed in [
            "",
            " , ",
            "a",
            r#""a"#,
            r#"a""#,
            r#""a" "b""#,
            r#"w/"a""#,
            r#"W/ "a""#,
            r#"*, "a""#,
            r#""a b""#,
            "**",
            &endless,
        ] {
            assert_eq!(parse(&[malformed]), Err(MalformedTagList), "{malformed}");
        }
        assert_eq!(parse(&["*", "*"]), Err(MalformedTagList));
    }

    #[test]
    fn weak_and_foreign_tags_stand_for_no_state() {
        for foreign in [
            r#"W/"1-5-1""#,
            r#""1-5""#,
            r#""1-5-1-1""#,
            r#""01-5-1""#,
            r#""0-5-1""#,
            r#""1-+5-1""#,
            r#""1-5-A""#,
            r#""""#,
            r#""-""#,
        ] {
            let Ok((tag, "")) = split_tag(foreign) else {
                unreachable!("{foreign}")
            };
            assert_eq!(tag.revision(), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_stands_for_the_state_that_it_was_made_of(
            id in 1..=i64::MAX,
            micros in -62_135_596_800_000_000..=253_402_300_799_999_999_i64,
            version in 1..=i64::MAX,
        ) {
            let revision = Revision {
                id: UserId::new(id).unwrap(),
                created_at: Timestamp::from_unix_micros(micros).unwrap(),
                version,
            };
            let etag = ETag::of(revision);
            let Ok((tag, "")) = split_tag(etag.as_str()) else { unreachable!("{etag}") };
            prop_assert_eq!(tag.revision(), Some(revision));
            prop_assert!(TagList::Tags(vec![tag]).matches_weakly(&etag));
        }
    }
}
