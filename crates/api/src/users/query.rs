//! What a client can ask of the list, and how the answer leads on.

use domain::{Cursor, Email, Page, PageNumber, PageRequest, PageSize, Slice, UserFilter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use utoipa::IntoParams;

use super::{
    dto::{User, UserList, UserPage, UserSlice},
    schemas,
};
use crate::{
    AppState,
    cursor_seal::{CursorSeal, InvalidCursor},
    extract::FromQuery,
    problem::{Code, FaultCode, Problem},
    query::QueryReader,
    respond::Linked,
};

/// What an address in a link need not hide.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@');

/// Which users to list, and which part of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListRequest {
    pub(crate) filter: UserFilter,
    pub(crate) part: Part,
}

/// A part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A page by its number.
    Page(PageRequest),
    /// What follows a position, or the start of a walk.
    After(Option<Cursor>, PageSize),
}

/// The parameters of the list, as the OpenAPI document shows them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read one by one")]
pub(crate) struct ListParameters {
    /// Which page, from 1. Not together with `cursor`.
    #[param(minimum = 1, maximum = 2_147_483_647, default = 1, example = 1)]
    page: Option<u32>,
    /// How many users a page holds.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    per_page: Option<u32>,
    /// Where to go on: `next_cursor` of an earlier answer; empty to start a walk.
    #[param(example = "")]
    cursor: Option<String>,
    /// Only the user with this address.
    #[param(schema_with = schemas::email_filter, required = false)]
    email: Option<String>,
}

impl FromQuery for ListRequest {
    fn read(query: &mut QueryReader<'_>, state: &AppState) -> Result<Option<Self>, Problem> {
        Self::read_with(query, state.cursor_seal())
    }
}

impl ListRequest {
    /// Reads the parameters of the list, whose cursors `seal` has sealed.
    pub(crate) fn read_with(query: &mut QueryReader<'_>, seal: &CursorSeal) -> Result<Option<Self>, Problem> {
        let invalid_cursor = |InvalidCursor| {
            Problem::new(
                Code::InvalidCursor,
                "The cursor was not issued by this service, or for another filter",
            )
        };
        let number = query.optional_number("page", PageNumber::new);
        let size = query
            .optional_number("per_page", PageSize::new)
            .unwrap_or(PageSize::DEFAULT);
        let email = query
            .optional("email")
            .and_then(|text| query.check("email", Email::parse(&text)));
        let filter = UserFilter { email };
        let Some(text) = query.optional("cursor") else {
            let number = number.unwrap_or(PageNumber::FIRST);
            return Ok(Some(Self {
                filter,
                part: Part::Page(PageRequest { number, size }),
            }));
        };
        let opened = match text.as_str() {
            "" => None,
            text => Some(seal.open(text).map_err(invalid_cursor)?),
        };
        if number.is_some() {
            query.fault("cursor", FaultCode::Range, "must not be given together with page");
        }
        let position = opened
            .map(|opened| opened.position_in(&filter))
            .transpose()
            .map_err(invalid_cursor)?;
        Ok(Some(Self {
            filter,
            part: Part::After(position, size),
        }))
    }
}

/// The answer with a page, linked to its neighbours.
pub(super) fn page_answer(state: &AppState, filter: &UserFilter, request: PageRequest, page: Page) -> Linked<UserList> {
    let total_pages = page.total_pages(request.size);
    let link = links(filter, request, total_pages);
    let body = UserPage {
        next_cursor: page.next.map(|position| state.cursor_seal().seal(position, filter)),
        total: page.total,
        page: request.number.get(),
        per_page: request.size.get(),
        total_pages,
        users: page.users.into_iter().map(User::from).collect(),
    };
    Linked {
        link: Some(link),
        body: UserList::Page(body),
    }
}

/// The answer with a piece of a walk.
pub(super) fn slice_answer(state: &AppState, filter: &UserFilter, size: PageSize, slice: Slice) -> Linked<UserList> {
    let body = UserSlice {
        next_cursor: slice.next.map(|position| state.cursor_seal().seal(position, filter)),
        per_page: size.get(),
        users: slice.users.into_iter().map(User::from).collect(),
    };
    Linked {
        link: None,
        body: UserList::Slice(body),
    }
}

/// Links to the first, previous, next and last page, as far as they exist (RFC 8288). They are relative, so they are right
/// behind any proxy.
fn links(filter: &UserFilter, request: PageRequest, total_pages: u64) -> String {
    let number = u64::from(request.number.get());
    let last = total_pages.max(1);
    let filter = match &filter.email {
        Some(email) => format!("&email={}", utf8_percent_encode(email.as_str(), QUERY_VALUE)),
        None => String::new(),
    };
    let link = |number: u64, relation: &str| {
        format!(
            "</api/v1/users?page={number}&per_page={}{filter}>; rel=\"{relation}\"",
            request.size.get()
        )
    };
    let mut links = vec![link(1, "first")];
    if number > 1 {
        // From beyond the end, the previous page is the last one.
        links.push(link((number - 1).min(last), "prev"));
    }
    if number < last {
        links.push(link(number + 1, "next"));
    }
    links.push(link(last, "last"));
    links.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_neighbours_that_exist_and_keep_the_filter() {
        let relations = |number, total_pages| {
            let request = PageRequest {
                number: PageNumber::new(number).unwrap(),
                size: PageSize::DEFAULT,
            };
            let links = links(&UserFilter::default(), request, total_pages);
            links
                .split(", ")
                .map(|link| {
                    link.split("page=")
                        .nth(1)
                        .unwrap()
                        .split('&')
                        .next()
                        .unwrap()
                        .to_owned()
                        + link.rsplit('=').next().unwrap()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(relations(1, 3), ["1\"first\"", "2\"next\"", "3\"last\""]);
        assert_eq!(relations(2, 3), ["1\"first\"", "1\"prev\"", "3\"next\"", "3\"last\""]);
        assert_eq!(relations(9, 3), ["1\"first\"", "3\"prev\"", "3\"last\""]);
        assert_eq!(relations(1, 0), ["1\"first\"", "1\"last\""]);

        let filter = UserFilter {
            email: Some(Email::parse("a+&b@example.com").unwrap()),
        };
        let request = PageRequest {
            number: PageNumber::FIRST,
            size: PageSize::DEFAULT,
        };
        let expected = "</api/v1/users?page=1&per_page=20&email=a%2B%26b@example.com>; rel=\"first\"";
        assert!(links(&filter, request, 1).starts_with(expected));
    }
}
