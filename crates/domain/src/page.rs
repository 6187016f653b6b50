//! How much of the list of users is asked for, and what comes back.

use crate::{Cursor, Email, Rule, User, Violation};

/// The number of a page, 1 to 2³¹-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageNumber(u32);

impl PageNumber {
    /// The first page.
    pub const FIRST: Self = Self(1);
    /// The last page that can be asked for.
    pub const MAX: u32 = i32::MAX as u32;

    const RANGE: Violation = Violation::new(Rule::Range, "must be from 1 to 2147483647");

    /// The page with this number.
    ///
    /// # Errors
    /// [`Rule::Range`] outside 1 to 2³¹-1.
    pub fn new(number: u64) -> Result<Self, Violation> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(Self::RANGE),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// How many users a page holds, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageSize(u8);

impl PageSize {
    /// The size of a page when none is asked for.
    pub const DEFAULT: Self = Self(20);
    /// The largest page.
    pub const MAX: u8 = 100;

    const RANGE: Violation = Violation::new(Rule::Range, "must be from 1 to 100");

    /// The size of `users` users.
    ///
    /// # Errors
    /// [`Rule::Range`] outside 1 to 100.
    pub fn new(users: u64) -> Result<Self, Violation> {
        match u8::try_from(users) {
            Ok(users @ 1..=Self::MAX) => Ok(Self(users)),
            _ => Err(Self::RANGE),
        }
    }

    /// The number of users.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A page by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Which page.
    pub number: PageNumber,
    /// How many users each page holds.
    pub size: PageSize,
}

impl PageRequest {
    /// How many users stand before the page.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.number.get() - 1) * u64::from(self.size.get())
    }
}

/// Which users are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserFilter {
    /// Only the user with this address.
    pub email: Option<Email>,
}

/// A page of the list, with the size of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The users on the page, newest first.
    pub users: Vec<User>,
    /// How many users the list has in all.
    pub total: u64,
    /// Where the next page starts; absent when this one ends the list.
    pub next: Option<Cursor>,
}

impl Page {
    /// How many pages of this size the list has; 0 when it is empty.
    #[must_use]
    pub fn total_pages(&self, size: PageSize) -> u64 {
        self.total.div_ceil(u64::from(size.get()))
    }
}

/// A piece of the list that follows a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The users after the position, newest first.
    pub users: Vec<User>,
    /// Where the next piece starts; absent when this one ends the list.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_and_numbers_outside_their_range_are_refused() {
        assert!(PageSize::new(0).is_err() && PageSize::new(101).is_err() && PageSize::new(u64::MAX).is_err());
        assert!(PageNumber::new(0).is_err() && PageNumber::new(1 << 31).is_err());
        assert_eq!(PageNumber::new((1 << 31) - 1).unwrap().get(), PageNumber::MAX);
    }

    #[test]
    fn the_last_page_may_be_partly_filled() {
        let page = |total| Page {
            users: vec![],
            total,
            next: None,
        };
        let size = PageSize::new(20).unwrap();
        assert_eq!([0, 1, 20, 21].map(|total| page(total).total_pages(size)), [0, 1, 1, 2]);
    }

    proptest! {
        #[test]
        fn consecutive_pages_touch_without_gap_or_overlap(number in 1..u64::from(PageNumber::MAX), size in 1..=100_u64) {
            let at = |number| PageRequest {
                number: PageNumber::new(number).unwrap(),
                size: PageSize::new(size).unwrap(),
            };
            prop_assert_eq!(at(number).offset() + size, at(number + 1).offset());
        }
    }
}
