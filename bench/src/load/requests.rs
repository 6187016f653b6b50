//! The requests of a load, rendered before it begins: choosing one costs a few instructions, and the generator's time is
//! not taken for the server's.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

/// Digits of a running number in an address.
const DIGITS: usize = 12;

/// Where the requests of a load come from; each connection has its own, see [`Requests::for_connection`].
#[derive(Clone, Debug)]
pub(crate) enum Requests {
    /// One of these, chosen at random.
    Random {
        /// The rendered requests.
        rendered: Rc<[Box<[u8]>]>,
        /// The state of the generator of random numbers.
        state: u64,
    },
    /// Always the same but for running numbers, which make addresses unique.
    Numbered {
        /// The rendered request.
        template: Vec<u8>,
        /// Where in it the numbers stand, [`DIGITS`] long.
        offsets: Rc<[usize]>,
        /// The next number, which all connections share.
        next: Rc<Cell<u64>>,
    },
}

impl Requests {
    /// GET requests for random ones of these paths.
    pub(crate) fn get(paths: impl IntoIterator<Item = String>) -> Self {
        let render = |path| {
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")
                .into_bytes()
                .into_boxed_slice()
        };
        Self::Random {
            rendered: paths.into_iter().map(render).collect(),
            state: 1,
        }
    }

    /// POST requests to `path` with a new user each. `next` counts on over loads, so that no address comes twice.
    pub(crate) fn post_user(path: &str, next: &Rc<Cell<u64>>) -> Self {
        Self::numbered(path, &user(), next)
    }

    /// POST requests to `path` with `count` new users each.
    pub(crate) fn post_batch(path: &str, count: usize, next: &Rc<Cell<u64>>) -> Self {
        let users = vec![user(); count].join(",");
        Self::numbered(path, &format!("{{\"users\":[{users}]}}"), next)
    }

    fn numbered(path: &str, body: &str, next: &Rc<Cell<u64>>) -> Self {
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n");
        // Writing to a String cannot fail.
        let _ = write!(
            request,
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let head_bytes = request.len();
        request.push_str(body);
        let placeholder = "#".repeat(DIGITS);
        let offsets = body
            .match_indices(&placeholder)
            .map(|(offset, _)| head_bytes + offset)
            .collect();
        Self::Numbered {
            template: request.into_bytes(),
            offsets,
            next: Rc::clone(next),
        }
    }

    /// The source for one of the connections of a load: random choices differ between connections, not between runs.
    pub(crate) fn for_connection(&self, index: u64) -> Self {
        let mut own = self.clone();
        if let Self::Random { state, .. } = &mut own {
            // Any odd constant with well-mixed bits; xorshift must not start at zero.
            *state = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        own
    }

    /// The next request; empty if there is none to choose from.
    pub(crate) fn next(&mut self) -> &[u8] {
        match self {
            Self::Random { rendered, state } => {
                let choice = xorshift(state) % (rendered.len().max(1) as u64);
                let choice = usize::try_from(choice).unwrap_or_default();
                rendered.get(choice).map(|request| &**request).unwrap_or_default()
            }
            Self::Numbered {
                template,
                offsets,
                next,
            } => {
                for offset in offsets.iter() {
                    let number = next.get();
                    next.set(number + 1);
                    if let Some(place) = template.get_mut(*offset..*offset + DIGITS) {
                        write_decimal(place, number);
                    }
                }
                template
            }
        }
    }
}

/// The body of a request for a new user, its number left open.
fn user() -> String {
    format!(
        r#"{{"name":"Load Test","email":"load-{}@example.com"}}"#,
        "#".repeat(DIGITS)
    )
}

/// A line of an import: the user with this number.
pub(crate) fn import_line(line: &mut String, number: u64) {
    let _ = writeln!(
        line,
        r#"{{"name":"Load Test","email":"import-{number:012}@example.com"}}"#
    );
}

/// Fills `place` with the number, zeros in front.
fn write_decimal(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// A step of Marsaglia's xorshift64: random enough to choose rows, and free.
fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(request: &[u8]) -> String {
        String::from_utf8(request.to_vec()).unwrap()
    }

    #[test]
    fn connections_choose_differently_and_reach_every_path() {
        let requests = Requests::get((0..10).map(|id| format!("/users/{id}")));
        let choices = |index| {
            let mut own = requests.for_connection(index);
            (0..200).map(|_| text(own.next())).collect::<Vec<_>>()
        };
        assert_eq!(choices(0), choices(0));
        assert_ne!(choices(0), choices(1));
        assert_eq!(choices(3).into_iter().collect::<HashSet<_>>().len(), 10);
    }

    #[test]
    fn no_address_comes_twice_on_any_connection() {
        let next = Rc::new(Cell::new(7));
        let mut sources = [
            Requests::post_user("/users", &next).for_connection(0),
            Requests::post_user("/users", &next).for_connection(1),
        ];
        let sent: HashSet<_> = (0..100).map(|turn| text(sources[turn % 2].next())).collect();
        assert_eq!((sent.len(), next.get()), (100, 107));
        assert!(
            sent.iter()
                .any(|request| request.ends_with(r#""email":"load-000000000007@example.com"}"#))
        );
    }

    #[test]
    fn a_batch_says_its_length_and_numbers_each_user() {
        let next = Rc::new(Cell::new(98));
        let mut requests = Requests::post_batch("/users/batch", 3, &next);
        let request = text(requests.next());
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        let users = serde_json::from_str::<serde_json::Value>(body).unwrap();
        assert_eq!(
            users.pointer("/users/2/email").unwrap(),
            "load-000000000100@example.com"
        );
    }
}
