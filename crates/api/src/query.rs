//! Query strings, read strictly and without stopping at the first fault.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::{
    json::{GIVEN_TWICE, UNKNOWN, distinct},
    problem::{Fault, FaultCode},
};

/// Reads the parameters of a query string, and notes what is wrong with them.
#[derive(Debug)]
pub(crate) struct QueryReader<'a> {
    parameters: Vec<(String, Result<String, ()>)>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> QueryReader<'a> {
    /// Reads `query`, in the form that HTML forms and every client library write.
    pub(crate) fn new(query: &str, faults: &'a mut Vec<Fault>) -> Self {
        let parameters = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).unwrap_or_else(|()| name.to_owned());
            (name, decode(value))
        });
        Self {
            parameters: parameters.collect(),
            faults,
        }
    }

    /// The parameter `name`, if it is given. A second value, or one that is not UTF-8, is a fault.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        let mut values = self
            .parameters
            .extract_if(.., |(parameter, _)| parameter == name)
            .map(|(_, value)| value);
        let first = values.next()?;
        if values.count() > 0 {
            self.fault(name, FaultCode::DuplicateField, GIVEN_TWICE);
        }
        first
            .map_err(|()| self.fault(name, FaultCode::Format, "must be percent-encoded UTF-8"))
            .ok()
    }

    /// The whole number `name`, if it is given, as `parse` takes it.
    pub(crate) fn optional_number<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(u64) -> Result<T, domain::Violation>,
    ) -> Option<T> {
        let text = self.optional(name)?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.fault(name, FaultCode::Type, "must be a whole number");
            return None;
        }
        // More digits than fit are out of every range.
        self.check(name, parse(text.parse().unwrap_or(u64::MAX)))
    }

    /// Notes the rule that a parameter broke, if it did.
    pub(crate) fn check<T>(&mut self, name: &str, parsed: Result<T, domain::Violation>) -> Option<T> {
        parsed
            .map_err(|violation| self.faults.push(Fault::violation(pointer(name), violation)))
            .ok()
    }

    /// Notes a fault of the parameter `name`.
    pub(crate) fn fault(&mut self, name: &str, code: FaultCode, message: impl Into<Cow<'static, str>>) {
        self.faults.push(Fault::new(pointer(name), code, message));
    }

    /// Ends the reading: parameters that nobody asked for are unknown.
    pub(crate) fn finish(mut self) {
        let parameters = std::mem::take(&mut self.parameters);
        for (name, is_repeated) in distinct(parameters.iter().map(|(name, _)| name.as_str())) {
            if is_repeated {
                self.fault(name, FaultCode::DuplicateField, GIVEN_TWICE);
            }
            self.fault(name, FaultCode::UnknownField, UNKNOWN);
        }
    }
}

fn pointer(name: &str) -> String {
    format!("query/{name}")
}

fn decode(text: &str) -> Result<String, ()> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes())
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_query_is_found_at_once() {
        let mut faults = Vec::new();
        let mut query = QueryReader::new("page=0&per_page=x&email=%ff&email=a&&typo=1&size", &mut faults);
        assert_eq!(query.optional_number("page", domain::PageNumber::new), None);
        assert_eq!(query.optional_number("per_page", domain::PageSize::new), None);
        assert_eq!(query.optional("email"), None);
        assert_eq!(query.optional("absent"), None);
        query.finish();
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (fault.pointer.as_str(), fault.code))
            .collect();
        let expected = [
            ("query/page", FaultCode::Range),
            ("query/per_page", FaultCode::Type),
            ("query/email", FaultCode::DuplicateField),
            ("query/email", FaultCode::Format),
            ("query/typo", FaultCode::UnknownField),
            ("query/size", FaultCode::UnknownField),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn values_are_decoded_once() {
        let mut faults = Vec::new();
        let mut query = QueryReader::new("%6eame=a+b%2Bc%2525", &mut faults);
        assert_eq!(query.optional("name"), Some("a b+c%25".to_owned()));
    }
}
